"""A flood of refused credentials costs next to nothing, and keeps no neighbor out."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from imagelayer.access import authentication
from imagelayer.access.key_secrets import checksum
from imagelayer.access.wiring import AccessWiring
from imagelayer.identity.tokens import mint_access, signing_key
from imagelayer.identity.wiring import IdentityWiring
from imagelayer.limits.rate_limits import POLICIES
from tests.support import accounts
from tests.support.api import Account, bearer
from tests.support.product import Product

FLOODED = "203.0.113.5"
POLICY = POLICIES["bad-credential"]


def made_up_key(number: int) -> str:
    body = f"{number:032d}"
    return f"il_live_{body}{checksum(body)}"


def made_up_token(number: int) -> str:
    """Signed by a key of its own, which no one published."""
    return mint_access(
        signing_key(f"{number:064d}"),
        issuer="http://front.invalid",
        user_id="usr_x",
        session_id="ses_x",
        token_id="token",
        now=time.time(),
    )


MADE_UP = pytest.mark.parametrize("made_up", [made_up_key, made_up_token])


def call(product: Product, credential: str) -> int:
    headers = {"authorization": f"Bearer {credential}"}
    return product.call("GET", "/v1/keys", headers=headers, ip=FLOODED).status


def flood(product: Product, made_up: Callable[[int], str]) -> None:
    """Until the process knows that the address is past its limit, and has looked up once more."""
    statuses = [call(product, made_up(number)) for number in range(POLICY.burst + 1)]
    assert statuses == [401] * POLICY.burst + [429]


@pytest.fixture(autouse=True)
def one_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test depends on how long it takes."""
    monkeypatch.setattr(authentication, "LOOKUP_MS", 10**9)


@pytest.mark.promise("limits-fail-closed")
@MADE_UP
def test_a_flood_past_its_limit_makes_no_call(
    product: Product, owner: Account, made_up: Callable[[int], str]
) -> None:
    flood(product, made_up)
    with accounts.calls(product, "key_rotation") as made:
        assert {call(product, made_up(1000 + number)) for number in range(20)} == {429}
    assert made == []


@MADE_UP
def test_credentials_that_a_process_knows_are_served_from_a_flooded_address(
    product: Product, owner: Account, made_up: Callable[[int], str]
) -> None:
    key = product.key(owner, "keys:rotate")
    here = {"ip": FLOODED}
    assert product.call("GET", "/v1/keys/self", headers=bearer(key), **here).status == 200
    assert product.call("GET", "/v1/keys", headers=owner.headers, **here).status == 200
    flood(product, made_up)
    call(product, made_up(1000))
    call(product, made_up(1001))
    assert product.call("GET", "/v1/keys/self", headers=bearer(key), **here).status == 200
    assert product.call("GET", "/v1/keys", headers=owner.headers, **here).status == 200


@MADE_UP
def test_a_neighbors_unknown_credential_is_looked_up_when_its_turn_comes(
    product: Product,
    owner: Account,
    made_up: Callable[[int], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = product.key(owner, "keys:rotate")
    flood(product, made_up)
    call(product, made_up(1000))
    monkeypatch.setattr(authentication, "LOOKUP_MS", 0)
    for headers in (bearer(key), owner.headers):
        path = "/v1/keys/self" if headers == bearer(key) else "/v1/keys"
        assert product.call("GET", path, headers=headers, ip=FLOODED).status == 200


def test_what_strangers_name_is_not_kept_by_a_process(product: Product, owner: Account) -> None:
    for number in range(200):
        ip = {"ip": f"198.51.100.{number}"}
        token, key = made_up_token(number), made_up_key(number)
        for credential in (token, key):
            headers = {"authorization": f"Bearer {credential}"}
            assert product.call("GET", "/v1/keys", headers=headers, **ip).status == 401
    platform = product._platforms["key_rotation"]
    assert len(platform.part(IdentityWiring).signing_keys._kept) == 0
    assert len(platform.part(AccessWiring).key_store._admitted) == 0
    assert len(platform.part(AccessWiring).key_store._terms) == 0
