"""Missing, wrong, expired and ended credentials on every endpoint that requires them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagelayer.access.key_secrets import checksum
from imagelayer.limits.rate_limits import POLICIES
from tests.support import accounts
from tests.support.api import Account, bearer
from tests.support.endpoint_requests import WITH_CREDENTIALS, request
from tests.support.product import Product

UNKNOWN = "0123456789ABCDEFGHIJKLMNOPQrstuv"
WRONG = {
    "nothing": None,
    "empty": "",
    "no scheme": "abc",
    "basic": "Basic ZGV2OnNlY3JldA==",
    "another scheme": f"Token il_live_{UNKNOWN}{checksum(UNKNOWN)}",
    "no credential": "Bearer ",
    "quoted": f'Bearer "il_live_{UNKNOWN}{checksum(UNKNOWN)}"',
    "cut short": f"Bearer il_live_{UNKNOWN}",
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


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic ZGV2OnNlY3JldA=="},
        {"authorization": "il_live_without_a_scheme"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer undefined"},
        {"x-api-key": f"il_live_{UNKNOWN}{checksum(UNKNOWN)}"},
    ],
    ids=[
        "nothing",
        "another scheme",
        "no scheme",
        "no credential",
        "unset variable",
        "another header",
    ],
)
def test_a_call_without_a_credential_is_401_however_often_and_is_not_counted(
    product: Product, headers: dict[str, str]
) -> None:
    most = POLICIES["bad-credential"].quota
    with accounts.calls(product, "key_rotation") as made:
        answers = [product.call("GET", "/v1/keys/self", headers=headers) for _ in range(most + 1)]
    assert {(each.status, each.json["code"]) for each in answers} == {(401, "unauthenticated")}
    assert made == []
    assert product.items("CountersTable") == []
    # So a credential from the same address is still looked up.
    wrong = {"authorization": f"Bearer il_live_{UNKNOWN}{checksum(UNKNOWN)}"}
    assert product.call("GET", "/v1/keys/self", headers=wrong).status == 401


def test_a_key_that_never_was_and_one_that_was_revoked_are_answered_alike(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "keys:rotate")
    product.call("DELETE", f"/v1/keys/{key['id']}", headers=owner.headers)
    never = {"authorization": f"Bearer il_live_{UNKNOWN}{checksum(UNKNOWN)}"}
    texts = {
        product.call("GET", "/v1/keys/self", headers=headers).json["detail"]
        for headers in (bearer(key), never)
    }
    assert len(texts) == 1


@pytest.mark.parametrize("written", ["Bearer  {}", "bearer {} ", "BEARER    {}"])
def test_blanks_around_a_good_key_are_ignored(
    product: Product, owner: Account, written: str
) -> None:
    headers = {"authorization": written.format(product.key(owner, "keys:rotate")["key"])}
    assert product.call("GET", "/v1/keys/self", headers=headers).status == 200
