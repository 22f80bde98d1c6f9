"""API Gateway HTTP API events, payload format 2.0."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import urlencode

from imagelayer.routes import ROUTES


@cache
def _patterns() -> list[tuple[int, str, str, re.Pattern[str]]]:
    """The routes, those with fewer variables first: number of variables, key, method, pattern."""
    return sorted(
        (
            route.path.count("{"),
            route.key,
            route.method,
            re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path))),
        )
        for route in ROUTES.values()
    )


def route_of(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The route that API Gateway would choose: literal segments before variables. Each GET has a
    HEAD beside it."""
    served = "GET" if method == "HEAD" else method
    for _, key, allowed, pattern in _patterns():
        if allowed == served and (match := pattern.fullmatch(path)):
            return f"{method} {key.partition(' ')[2]}", match.groupdict()
    return "$default", {}


def function_of(route: str) -> str:
    """The function that a route belongs to."""
    if route == "$default":
        return "fallback"
    return ROUTES[route.replace("HEAD ", "GET ", 1)].function


def http_event(
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    ip: str = "198.51.100.7",
    request_id: str = "req-1",
) -> dict[str, Any]:
    """An event; a `body` that is not text is sent as JSON with its content type."""
    route, parameters = route_of(method, path)
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": sent,
        "requestContext": {
            "requestId": request_id,
            "http": {"method": method, "path": path, "sourceIp": ip},
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
        sent.setdefault("content-type", "application/json")
    if parameters:
        event["pathParameters"] = parameters
    if query:
        event["queryStringParameters"] = query
        event["rawQueryString"] = urlencode(query)
    if cookies:
        event["cookies"] = cookies
    return event
