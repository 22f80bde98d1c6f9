"""New passwords: forgotten, reset, changed."""

from imagelayer.http import App, Call, Reply
from imagelayer.identity.pages import page
from imagelayer.identity.routes import ROUTES
from imagelayer.identity.wiring import IdentityWiring

app = App("password", IdentityWiring, ROUTES)


@app.route("GET /reset-password")
def get_reset_page(call: Call[IdentityWiring]) -> Reply:
    return Reply(*page("reset-password"))


@app.route("POST /v1/auth/password/forgot")
def forgot_password(call: Call[IdentityWiring]) -> Reply:
    call.wiring.password_changes.forgot_password(call.origin, call.now, call.body.email)
    return Reply({"status": "reset_sent"})


@app.route("POST /v1/auth/password/reset")
def reset_password(call: Call[IdentityWiring]) -> Reply:
    call.wiring.password_changes.reset_password(
        call.origin, call.now, token=call.body.token, password=call.body.password
    )
    return Reply()


@app.route("POST /v1/auth/password/change")
def change_password(call: Call[IdentityWiring]) -> Reply:
    call.wiring.password_changes.change_password(
        call.principal,
        call.origin,
        call.now,
        current_password=call.body.current_password,
        password=call.body.password,
    )
    return Reply()


handler = app.handler
