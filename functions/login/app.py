"""Login, refresh, logout, who is logged in and where."""

from imagelayer.http import App, Call, Reply
from imagelayer.http.paging import page
from imagelayer.identity.login import REFRESH_COOKIE, ended_cookie
from imagelayer.identity.routes import ROUTES
from imagelayer.identity.wiring import IdentityWiring

app = App("login", IdentityWiring, ROUTES)


@app.route("POST /v1/auth/login")
def log_in(call: Call[IdentityWiring]) -> Reply:
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
def refresh(call: Call[IdentityWiring]) -> Reply:
    session = call.wiring.login.refresh(call.origin, call.now, call.cookies.get(REFRESH_COOKIE, ""))
    return Reply(session.answer, cookies=(session.cookie,))


@app.route("POST /v1/auth/logout")
def log_out(call: Call[IdentityWiring]) -> Reply:
    call.wiring.login.logout(call.origin, call.cookies.get(REFRESH_COOKIE, ""))
    return Reply(cookies=(ended_cookie(),))


@app.route("GET /v1/auth/me")
def me(call: Call[IdentityWiring]) -> Reply:
    return Reply(call.wiring.login.me(call.principal))


@app.route("GET /v1/auth/sessions")
def list_sessions(call: Call[IdentityWiring]) -> Reply:
    return Reply(page(call.wiring.sessions.list_own(call.principal, call.now), None))


@app.route("DELETE /v1/auth/sessions/{session_id}")
def end_session(call: Call[IdentityWiring]) -> Reply:
    call.wiring.login.end_one(call.principal, call.origin, call.path["session_id"])
    return Reply()


@app.route("DELETE /v1/auth/sessions")
def end_all_sessions(call: Call[IdentityWiring]) -> Reply:
    call.wiring.login.end_everywhere(call.principal, call.origin)
    return Reply(cookies=(ended_cookie(),))


handler = app.handler
