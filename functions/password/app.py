"""New passwords: forgotten, reset, changed."""

from imagelayer.http import App, Call, Reply
from imagelayer.pages import page
from imagelayer.schemas import ForgotPasswordAnswer

app = App("password")


@app.route("GET /reset-password")
def show_reset_page(call: Call) -> Reply:
    return Reply(*page("reset-password"))


@app.route("POST /v1/auth/password/forgot")
def forgot(call: Call) -> Reply:
    call.wiring.password_changes.forgot(call.origin, call.now, call.body.email)
    return Reply(ForgotPasswordAnswer())


@app.route("POST /v1/auth/password/reset")
def reset(call: Call) -> Reply:
    call.wiring.password_changes.reset(
        call.origin, call.now, token=call.body.token, password=call.body.password
    )
    return Reply()


@app.route("POST /v1/auth/password/change")
def change(call: Call) -> Reply:
    call.wiring.password_changes.change(
        call.principal,
        call.origin,
        call.now,
        current_password=call.body.current_password,
        password=call.body.password,
    )
    return Reply()


handler = app.handler
