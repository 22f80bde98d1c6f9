"""Missing, wrong, expired and ended credentials on every endpoint that requires them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagelayer.access.key_secrets import checksum
from tests.support.endpoint_requests import WITH_CREDENTIALS, request
from tests.support.product import Product

UNKNOWN = "0123456789ABCDEFGHIJKLMNOPQrstuv"
WRONG = {
    "nothing": None,
    "empty": "",
    "no scheme": "abc",
    "basic": "Basic ZGV2OnNlY3JldA==",
    "no credential": "Bearer ",
    "nonsense": "Bearer nonsense",
    "mistyped key": f"Bearer il_live_{UNKNOWN}000000",
    "unknown key": f"Bearer il_live_{UNKNOWN}{checksum(UNKNOWN)}",
    "unknown test key": f"Bearer il_test_{UNKNOWN}{checksum(UNKNOWN)}",
    "alg none": "Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJ1c3JfMSJ9.",
    "far too long": "Bearer " + "x" * 10_000,
    "not ascii": "Bearer é\x00",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Product]:
    """One product for the whole table: none of these requests may change it."""
    with Product() as product:
        product.account("dev@example.com")
        yield product


@pytest.mark.promise("org-scoped", "assets-signed")
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("route", WITH_CREDENTIALS)
def test_wrong_credentials_are_refused_with_a_challenge(
    shared: Product, route: str, wrong: str
) -> None:
    method, path, parts = request(route)
    credential = WRONG[wrong]
    headers = {} if credential is None else {"authorization": credential}
    before = shared.counts()
    ip = f"203.0.{list(WRONG).index(wrong)}.{WITH_CREDENTIALS.index(route)}"
    answer = shared.call(method, path, headers=headers, ip=ip, **parts)
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    sent = credential is not None and credential.partition(" ")[2] and credential.startswith("Bear")
    assert ('error="invalid_token"' in answer.headers["www-authenticate"]) == bool(sent)
    assert answer.headers["www-authenticate"].startswith('Bearer realm="imagelayer"')
    assert shared.counts() == before
