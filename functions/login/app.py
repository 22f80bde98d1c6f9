"""Login, refresh, logout, and who is logged in."""

from imagelayer.http import App, Call, Reply
from imagelayer.login import REFRESH_COOKIE, ended_cookie

app = App("login")


@app.route("POST /v1/auth/login")
def log_in(call: Call) -> Reply:
    session = call.wiring.login.login(
        call.origin, call.now, email=call.body.email, password=call.body.password
    )
    return Reply(session.answer, cookies=(session.cookie,))


@app.route("POST /v1/auth/refresh")
def refresh(call: Call) -> Reply:
    session = call.wiring.login.refresh(call.origin, call.now, call.cookies.get(REFRESH_COOKIE, ""))
    return Reply(session.answer, cookies=(session.cookie,))


@app.route("POST /v1/auth/logout")
def log_out(call: Call) -> Reply:
    call.wiring.login.logout(call.origin, call.cookies.get(REFRESH_COOKIE, ""))
    return Reply(cookies=(ended_cookie(),))


@app.route("GET /v1/auth/me")
def me(call: Call) -> Reply:
    return Reply(call.wiring.login.me(call.principal))


handler = app.handler
