"""Login, refresh, logout, and the caller's sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.http import App, Call, Reply
from imagelayer.http.cookies import expired_refresh_cookie, refresh_cookie
from imagelayer.http.paging import page
from imagelayer.identity.routes import ROUTES
from imagelayer.identity.wiring import IdentityWiring

if TYPE_CHECKING:
    from imagelayer.identity.access_tokens import SessionTokens

app = App("login", IdentityWiring, ROUTES)


@app.route("POST /v1/auth/login")
def login(call: Call[IdentityWiring]) -> Reply:
    tokens = call.wiring.login.login(
        call.origin,
        call.now,
        email=call.body.email,
        password=call.body.password,
        totp_code=call.body.totp_code,
        recovery_code=call.body.recovery_code,
        replaces=call.refresh_token,
    )
    return logged_in(tokens)


@app.route("POST /v1/auth/refresh")
def refresh(call: Call[IdentityWiring]) -> Reply:
    return logged_in(call.wiring.sessions.refresh(call.origin, call.now, call.refresh_token))


@app.route("POST /v1/auth/logout")
def logout(call: Call[IdentityWiring]) -> Reply:
    call.wiring.sessions.logout(call.origin, call.refresh_token)
    return Reply(cookies=(expired_refresh_cookie(),))


@app.route("GET /v1/auth/me")
def get_me(call: Call[IdentityWiring]) -> Reply:
    return Reply(call.wiring.sessions.get_me(call.principal))


@app.route("GET /v1/auth/sessions")
def list_sessions(call: Call[IdentityWiring]) -> Reply:
    return Reply(page(call.wiring.sessions.list_sessions(call.principal, call.now), None))


@app.route("DELETE /v1/auth/sessions/{session_id}")
def end_session(call: Call[IdentityWiring]) -> Reply:
    call.wiring.sessions.end_session(call.principal, call.origin, call.path["session_id"])
    return Reply()


@app.route("DELETE /v1/auth/sessions")
def end_all_sessions(call: Call[IdentityWiring]) -> Reply:
    call.wiring.sessions.end_all_sessions(call.principal, call.origin)
    return Reply(cookies=(expired_refresh_cookie(),))


def logged_in(tokens: SessionTokens) -> Reply:
    cookie = refresh_cookie(tokens.refresh_token, tokens.lifetime_seconds)
    return Reply(tokens.answer, cookies=(cookie,))


handler = app.handler
