"""New passwords: forgotten, reset, changed."""

from imagelayer.http import App, Call, Reply
from imagelayer.identity.pages import page
from imagelayer.identity.routes import ROUTES
from imagelayer.identity.wiring import IdentityWiring

app = App("password", IdentityWiring, ROUTES)


@app.route("GET /reset-password")
def show_reset_page(call: Call[IdentityWiring]) -> Reply:
    return Reply(*page("reset-password"))


@app.route("POST /v1/auth/password/forgot")
def forgot(call: Call[IdentityWiring]) -> Reply:
    call.wiring.password_changes.forgot(call.origin, call.now, call.body.email)
    return Reply({"status": "reset_sent"})


@app.route("POST /v1/auth/password/reset")
def reset(call: Call[IdentityWiring]) -> Reply:
    call.wiring.password_changes.reset(
        call.origin, call.now, token=call.body.token, password=call.body.password
    )
    return Reply()


@app.route("POST /v1/auth/password/change")
def change(call: Call[IdentityWiring]) -> Reply:
    call.wiring.password_changes.change(
        call.principal,
        call.origin,
        call.now,
        current_password=call.body.current_password,
        password=call.body.password,
    )
    return Reply()


handler = app.handler
