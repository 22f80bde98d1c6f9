"""Login, refresh, logout, who is logged in and where."""

from imagelayer.http import App, Call, Reply
from imagelayer.http.paging import page
from imagelayer.login import REFRESH_COOKIE, ended_cookie

app = App("login")


@app.route("POST /v1/auth/login")
def log_in(call: Call) -> Reply:
    session = call.wiring.login.login(
        call.origin,
        call.now,
        email=call.body.email,
        password=call.body.password,
        totp_code=call.body.totp_code,
        recovery_code=call.body.recovery_code,
        replaces=call.cookies.get(REFRESH_COOKIE, ""),
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


@app.route("GET /v1/auth/sessions")
def list_sessions(call: Call) -> Reply:
    return Reply(page(call.wiring.user_sessions.list_own(call.principal, call.now), None))


@app.route("DELETE /v1/auth/sessions/{session_id}")
def end_session(call: Call) -> Reply:
    call.wiring.login.end_one(call.principal, call.origin, call.path["session_id"])
    return Reply()


@app.route("DELETE /v1/auth/sessions")
def end_all_sessions(call: Call) -> Reply:
    call.wiring.login.end_everywhere(call.principal, call.origin)
    return Reply(cookies=(ended_cookie(),))


handler = app.handler
