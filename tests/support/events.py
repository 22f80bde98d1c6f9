"""API Gateway HTTP API events, payload format 2.0."""

from __future__ import annotations

import json
import re
from typing import Any

from imagelayer.routes import ROUTES


def route_of(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The route that API Gateway would choose: literal segments before variables."""
    found: list[tuple[int, str, dict[str, str]]] = []
    for row in ROUTES.values():
        pattern = re.sub(
            r"{(\w+)}",
            r"(?P<\1>[^/]+)",
            re.escape(row.path).replace(r"\{", "{").replace(r"\}", "}"),
        )
        match = re.fullmatch(pattern, path)
        if match and row.method == method:
            found.append((row.path.count("{"), row.key, match.groupdict()))
    if not found:
        return "$default", {}
    _, route, parameters = min(found, key=lambda each: each[0])
    return route, parameters


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
    if cookies:
        event["cookies"] = cookies
    return event
