"""The checker that every integration test answers to does find what it is there to find."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagelayer.http.app import SECURITY_HEADERS
from imagelayer.http.problems import render
from imagelayer.platform.errors import Problem
from tests.support.contract import violations

ROUTE = "GET /v1/auth/me"
BODY: dict[str, Any] = {
    "user": {
        "id": "usr_1",
        "email": "dev@example.com",
        "name": "Dev",
        "email_verified": True,
        "two_factor_enabled": False,
        "created_at": "2026-01-01T00:00:00Z",
    },
    "organization": {"id": "org_1", "name": "Org", "created_at": "2026-01-01T00:00:00Z"},
    "role": "owner",
}
HEADERS = {
    **{name.lower(): value for name, value in SECURITY_HEADERS.items()},
    "x-request-id": "req-1",
    "ratelimit": '"session-read";r=1;t=1',
    "ratelimit-policy": '"session-read";q=1;w=1',
    "content-type": "application/json; charset=utf-8",
}


def found(status: int = 200, body: Any = BODY, **changes: str | None) -> list[str]:
    headers: dict[str, str] = dict(HEADERS)
    for name, value in changes.items():
        headers.pop(name.replace("_", "-"), None)
        if value is not None:
            headers[name.replace("_", "-")] = value
    return violations(ROUTE, status, headers, json.dumps(body), "req-1")


def problem(code: str) -> Any:
    return render(Problem(code, "x"), request_id="req-1")[0]


def test_a_described_response_passes() -> None:
    assert found() == []
    refused = {"content_type": "application/problem+json", "www_authenticate": "Bearer"}
    assert found(401, problem("unauthenticated"), **refused) == []


@pytest.mark.parametrize(
    ("status", "body", "changes"),
    [
        (418, BODY, {}),
        (201, BODY, {}),
        (200, {**BODY, "role": "king"}, {}),
        (200, {**BODY, "password_hash": "x"}, {}),
        (200, {**BODY, "user": {**BODY["user"], "password_hash": "x"}}, {}),
        (200, {**BODY, "user": {**BODY["user"], "created_at": "yesterday"}}, {}),
        (200, {"user": BODY["user"]}, {}),
        (200, BODY, {"x_request_id": "another"}),
        (200, BODY, {"ratelimit": None}),
        (200, BODY, {"cache_control": "public"}),
        (200, BODY, {"strict_transport_security": None}),
        (200, BODY, {"content_type": "text/html"}),
        (401, problem("unauthenticated"), {"content_type": "application/problem+json"}),
        (
            401,
            problem("unauthenticated"),
            {"content_type": "application/json", "www_authenticate": "x"},
        ),
        (403, problem("conflict"), {"content_type": "application/problem+json"}),
        (
            503,
            problem("limiter_unavailable"),
            {"content_type": "application/problem+json", "retry_after": "soon"},
        ),
    ],
)
def test_a_response_that_is_not_described_is_found(
    status: int, body: Any, changes: dict[str, str | None]
) -> None:
    assert found(status, body, **changes)
