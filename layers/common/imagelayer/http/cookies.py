"""Cookies: those of a request, and the one that holds a dashboard's refresh token."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

# `__Host-` binds the cookie to this host and to TLS (RFC 6265bis §4.1.3.2).
REFRESH_COOKIE = "__Host-il_refresh"


def read(event: Mapping[str, Any]) -> dict[str, str]:
    """The request's cookies: the event's list, or the header where a gateway sends only that."""
    parts = event.get("cookies") or [(event.get("headers") or {}).get("cookie", "")]
    jar: SimpleCookie = SimpleCookie()
    try:
        for part in parts:
            jar.load(part)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def refresh_cookie(token: str, max_age: int) -> str:
    """The `Set-Cookie` value that keeps a refresh token for `max_age` seconds, out of reach of
    scripts and of requests that other sites cause."""
    return f"{REFRESH_COOKIE}={token}; Max-Age={max_age}; Path=/; Secure; HttpOnly; SameSite=Strict"


def expired_refresh_cookie() -> str:
    """The `Set-Cookie` value that makes the browser forget the refresh token."""
    return refresh_cookie("", 0)
