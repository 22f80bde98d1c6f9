"""Turns a Problem into a response: RFC 9457 with the `error` member the openai client reads."""

from __future__ import annotations

from typing import Any

from imagelayer.platform.errors import DO_NOT_RETRY, RETRY_AFTER_UNAVAILABLE_SECONDS, Problem

CONTENT_TYPE = "application/problem+json"

_OPENAI_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def render(problem: Problem, *, request_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the body and the headers for `problem`."""
    server_fault = problem.status >= 500
    body = {
        "type": f"urn:imagelayer:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        "errors": [{"location": each.location, "message": each.message} for each in problem.errors],
        "error": {
            "message": problem.detail,
            "type": "server_error"
            if server_fault
            else _OPENAI_TYPES.get(problem.status, "invalid_request_error"),
            "param": problem.param,
            "code": problem.code,
        },
    }
    headers = dict(problem.headers)
    if problem.status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER_UNAVAILABLE_SECONDS))
    if problem.code in DO_NOT_RETRY:
        headers["x-should-retry"] = "false"
    if problem.status == 401:
        headers.setdefault("WWW-Authenticate", challenge(problem))
    return body, headers


def challenge(problem: Problem) -> str:
    """RFC 6750 §3: no error code when the request carried no credentials at all."""
    if problem.code == "invalid_credentials" or problem.reason == "missing":
        return 'Bearer realm="imagelayer"'
    return 'Bearer realm="imagelayer", error="invalid_token"'
