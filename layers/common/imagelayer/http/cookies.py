"""Cookies: those of a request, and the one that holds a dashboard's refresh token."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

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


def cross_site(headers: Mapping[str, str], base_url: str) -> str:
    """Why a request may have been caused by a page of another origin, or nothing.

    Browsers say where a request comes from, in `Origin` or `Sec-Fetch-Site`, and no page can change
    either (Fetch Metadata, W3C). `SameSite` lets a page of a sibling subdomain pass. What is not a
    browser sends neither header and is let through: it has no cookie that it was not given.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return "another site"
    if origin is not None and origin != origin_of(base_url):
        return "another origin"
    return ""


def origin_of(base_url: str) -> str:
    """The origin of the public address, as browsers send it (RFC 6454 §6.2)."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{named}{port}"


def refresh_cookie(token: str, max_age: int) -> str:
    """The `Set-Cookie` value that keeps a refresh token for `max_age` seconds, out of reach of
    scripts and of requests that other sites cause."""
    return f"{REFRESH_COOKIE}={token}; Max-Age={max_age}; Path=/; Secure; HttpOnly; SameSite=Strict"


def expired_refresh_cookie() -> str:
    """The `Set-Cookie` value that makes the browser forget the refresh token."""
    return refresh_cookie("", 0)
