"""The cookie that holds a dashboard's refresh token. No other is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from imagelayer.platform.errors import Problem

# `__Host-` binds the cookie to this host and to TLS (RFC 6265bis §4.1.3.2).
REFRESH_COOKIE = "__Host-il_refresh"


def refresh_token(event: Mapping[str, Any]) -> str:
    """The refresh cookie's value, or nothing where none was sent. Raises Problem 400 for two.

    Only cookies of exactly this name count. Others, however they are written, are those of other
    applications on the host and decide nothing.
    """
    found = dict.fromkeys(_values(event, REFRESH_COOKIE))
    if len(found) > 1:
        raise Problem(
            "bad_request",
            f"Two different cookies named {REFRESH_COOKIE} were sent. Send one.",
            reason="two refresh cookies",
        )
    return next(iter(found), "")


def was_sent(event: Mapping[str, Any]) -> bool:
    """Whether the request has the refresh cookie, whatever it holds."""
    return any(True for _ in _values(event, REFRESH_COOKIE))


def _values(event: Mapping[str, Any], name: str) -> Iterator[str]:
    """The values of one cookie: from the event's list, and from the header where there is one.

    Pairs end at `;` alone (RFC 6265 §4.2.1), which no browser lets into a name or value: a page of
    a sibling subdomain could otherwise write our cookie inside one of its own. For the same reason
    nothing but blanks and tabs is cut off around a name.
    """
    header = (event.get("headers") or {}).get("cookie", "")
    for part in (*(event.get("cookies") or ()), header):
        for pair in part.split(";"):
            found, equals, value = pair.partition("=")
            if equals and found.strip(" \t") == name:
                value = value.strip(" \t")
                yield value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


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
