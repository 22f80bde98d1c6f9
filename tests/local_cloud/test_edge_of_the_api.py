"""What clients meet at the edge of the API: every answer in the one shape, through the gateway."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from dev.local_cloud import LocalCloud
from imagelayer.http.app import SECURITY_HEADERS
from imagelayer.routes import ROUTES
from tests.support.api_clients import Visitor
from tests.support.cloud_clients import new_owner, new_visitor

PUBLIC = [route.path for route in ROUTES.values() if route.method == "GET" and route.auth == "none"]
ORIGIN = {"Origin": "https://shop.example"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "GET"}
# method, path, headers, status, code, Allow
ANSWERS = [
    ("PUT", "/v1/brands", {}, 405, "method_not_allowed", "GET, HEAD, OPTIONS, POST"),
    ("POST", "/v1/models", {}, 405, "method_not_allowed", "GET, HEAD, OPTIONS"),
    ("DELETE", "/openapi.json", {}, 405, "method_not_allowed", "GET, HEAD, OPTIONS"),
    ("GET", "/v1/models/", {}, 404, "route_not_found", None),
    ("GET", "/v1//models", {}, 404, "route_not_found", None),
    ("GET", "/v1/nope", {}, 404, "route_not_found", None),
    ("POST", "/v1/chat/completions", {}, 404, "route_not_found", None),
    ("POST", "/images/generations", {}, 404, "route_not_found", None),
    ("GET", "/nope", {}, 404, "route_not_found", None),
    ("OPTIONS", "/v1/models", {}, 204, None, "GET, HEAD, OPTIONS"),
    ("OPTIONS", "/v1/models", ORIGIN, 204, None, "GET, HEAD, OPTIONS"),
    ("OPTIONS", "/v1/models", PREFLIGHT, 204, None, "GET, HEAD, OPTIONS"),
    ("OPTIONS", "/v1/brands/brd_1", PREFLIGHT, 204, None, "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ("OPTIONS", "/v1/nope", PREFLIGHT, 404, "route_not_found", None),
    ("GET", "/v1/keys/self", {}, 401, "unauthenticated", None),
    ("GET", "/v1/keys/self", {"X-Api-Key": "il_live_x"}, 401, "unauthenticated", None),
]


@pytest.fixture(scope="module")
def visitor(cloud: LocalCloud) -> Visitor:
    return new_visitor(cloud)


@pytest.fixture(scope="module")
def owner(cloud: LocalCloud) -> Visitor:
    return new_owner(cloud)


@pytest.fixture(scope="module")
def listed() -> Iterator[list[str]]:
    """The answers as a table, which `pytest -s` shows."""
    lines: list[str] = []
    yield lines
    print("", *lines, sep="\n")


def assert_ours(answer: httpx.Response) -> None:
    """Ours and not the gateway's: its id and its headers, and no origin is let in."""
    assert answer.headers["x-request-id"]
    for name in SECURITY_HEADERS:
        assert name in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(("method", "path", "headers", "status", "code", "allow"), ANSWERS)
def test_every_refusal_has_the_one_shape(
    visitor: Visitor,
    listed: list[str],
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str | None,
    allow: str | None,
) -> None:
    answer = visitor.call(method, path, headers=headers)
    detail = answer.json()["detail"] if answer.content else ""
    asked = f"{method} {path} {' '.join(headers)}".strip()
    listed.append(f"{asked:60} {answer.status_code} {allow or detail}")
    assert answer.status_code == status
    assert answer.headers.get("allow") == allow
    assert_ours(answer)
    if code is None:
        assert not answer.content
        return
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert answer.json()["code"] == answer.json()["error"]["code"] == code
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", PUBLIC)
def test_head_of_a_public_page_is_get_without_the_body(
    visitor: Visitor, listed: list[str], path: str
) -> None:
    got, head = visitor.call("GET", path), visitor.call("HEAD", path)
    listed.append(f"{f'HEAD {path}':60} {head.status_code} {head.headers['content-length']} bytes")
    assert (got.status_code, head.status_code) == (200, 200)
    assert_ours(head)
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == str(len(got.content))


def test_a_head_on_the_wire_ends_with_its_headers(visitor: Visitor) -> None:
    """A client library would hide bytes that follow."""
    parts = urlsplit(visitor.base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as wire:
        wire.sendall(b"HEAD /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: wire.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 200")
    assert received.partition(b"\r\n\r\n")[2] == b""


def test_head_of_what_needs_a_credential_needs_it_too(owner: Visitor, visitor: Visitor) -> None:
    path = "/v1/keys/self"
    assert visitor.call("HEAD", path).status_code == 401
    head = owner.call("HEAD", path, token=f"  {owner.key['key']}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ratelimit"].startswith('"key-read";')
    missing = owner.call("HEAD", "/v1/assets/ast_nope/content", token=owner.key["key"])
    assert (missing.status_code, missing.content) == (404, b"")


def test_a_missing_credential_is_401_past_the_limit_of_refused_ones(visitor: Visitor) -> None:
    answers = [visitor.call("GET", "/v1/keys/self") for _ in range(35)]
    assert {answer.status_code for answer in answers} == {401}
    assert not [answer for answer in answers if "ratelimit" in answer.headers]


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("odd", ["a/b=1", 'prefs={"a":[1,2]}', "a@b,c=(1)"])
def test_an_odd_cookie_of_another_application_keeps_no_one_logged_in(
    cloud: LocalCloud, odd: str
) -> None:
    visitor = new_visitor(cloud).sign_up()
    jar = {"Cookie": f"{odd}; __Host-il_refresh={visitor.refresh_cookie}; {odd}"}
    refreshed = visitor.call("POST", "/v1/auth/refresh", headers=jar)
    assert refreshed.status_code == 200
    visitor.keep_tokens(refreshed)
    jar = {"Cookie": f"{odd}; __Host-il_refresh={visitor.refresh_cookie}; {odd}"}
    assert visitor.call("POST", "/v1/auth/logout", headers=jar).status_code == 204
    assert visitor.call("GET", "/v1/auth/me", token=visitor.access_token).status_code == 401
    dead = visitor.call("POST", "/v1/auth/refresh", headers=jar)
    assert dead.status_code == 401
    assert dead.headers["set-cookie"].startswith("__Host-il_refresh=; Max-Age=0;")
