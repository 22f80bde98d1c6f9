"""How many keys an organization has, and how often they may be used or guessed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.access.key_secrets import checksum
from imagelayer.access.key_store import MAX_KEYS
from imagelayer.access.wiring import AccessWiring
from imagelayer.limits.rate_limits import POLICIES
from tests.support import accounts, api_keys
from tests.support.api import Account, bearer
from tests.support.api_keys import VALID
from tests.support.product import Product


def fill(product: Product, count: int = MAX_KEYS) -> None:
    """As if the organization had so many keys."""
    product.edit("KeysTable", api_keys.counter(product), count=count)


def test_an_organization_has_a_hundred_keys_and_not_one_more_until_one_is_revoked(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    assert api_keys.counter(product)["count"] == 1
    fill(product, MAX_KEYS - 1)
    assert api_keys.create(product, owner).status == 201
    before = product.dump_of("KeysTable")
    for changes in ({}, {"kind": "publishable", "scopes": []}):
        refused = api_keys.create(product, owner, **changes)
        assert (refused.status, refused.json["code"]) == (409, "key_limit_reached")
    assert product.dump_of("KeysTable") == before
    # Changing and rotating take no more room.
    assert api_keys.rotate(product, owner.headers, key, grace=60).status == 201
    assert api_keys.change(product, owner, key, name="k2").status == 200
    assert api_keys.counter(product)["count"] == MAX_KEYS
    assert api_keys.revoke(product, owner, key).status == 204
    assert [api_keys.create(product, owner).status for _ in range(2)] == [201, 409]


def test_an_organization_that_is_full_does_not_fill_another(
    product: Product, owner: Account, stranger: Account
) -> None:
    product.key(owner, "assets:read")
    fill(product)
    assert api_keys.create(product, stranger).status == 201
    assert api_keys.create(product, owner).status == 409


def test_a_repeated_request_is_answered_when_no_key_is_left(
    product: Product, owner: Account
) -> None:
    headers = owner.headers | {"idempotency-key": "k-1"}
    made = product.call("POST", "/v1/keys", headers=headers, body=VALID).json
    fill(product)
    again = product.call("POST", "/v1/keys", headers=headers, body=VALID)
    assert (again.status, again.json) == (201, made)
    assert again.headers["idempotent-replayed"] == "true"


FEW = {"quota": 3, "window": 60, "burst": 2}
MANY = {"quota": 6000, "window": 3600, "burst": 3000}


@pytest.mark.promise("limits-fail-closed")
def test_limits_of_an_organization_reach_every_key_it_has_or_makes(
    product: Product, owner: Account, stranger: Account
) -> None:
    old, other = product.key(owner, "assets:read"), product.key(owner, "assets:read")
    current = api_keys.rotate(product, owner.headers, old, grace=3600).json
    elsewhere = product.key(stranger, "assets:read")
    for key in (old, current, other, elsewhere):  # warm
        assert api_keys.own(product, key).headers["ratelimit-policy"] == '"key-read";q=300;w=60'
    assert api_keys.set_limits(product, owner, key_read=MANY)["keys"] == 2
    new = product.key(owner, "assets:read")
    rotated = api_keys.rotate(product, owner.headers, other).json
    for key in (old, current, new, rotated):
        assert api_keys.own(product, key).headers["ratelimit-policy"] == '"key-read";q=6000;w=3600'
    assert api_keys.own(product, elsewhere).headers["ratelimit-policy"] == '"key-read";q=300;w=60'
    # The whole plan is replaced: what it does not name is as for everybody.
    api_keys.set_limits(product, owner)
    for key in (old, current, new, rotated):
        assert api_keys.own(product, key).headers["ratelimit-policy"] == '"key-read";q=300;w=60'


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("warm", [True, False])
def test_a_lower_limit_is_exact_from_the_next_request(
    product: Product, owner: Account, warm: bool
) -> None:
    key = product.key(owner, "assets:read")
    if warm:
        api_keys.own(product, key)
        # The few calls that a lower limit leaves are fewer by what was used under the old one.
        product.edit("KeysTable", product.secret(key["key"]), tat_key_read=0)
    api_keys.set_limits(product, owner, key_read=FEW)
    answers = [api_keys.own(product, key) for _ in range(4)]
    assert [each.status for each in answers] == [200, 200, 429, 429]
    assert answers[0].headers["ratelimit"].startswith('"key-read";r=1;')
    assert answers[2].headers["ratelimit-policy"] == '"key-read";q=3;w=60'
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60


@pytest.mark.promise("limits-fail-closed")
def test_a_limit_that_was_raised_is_known_ten_seconds_later_where_calls_are_being_denied(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = product.key(owner, "assets:read")
    api_keys.set_limits(product, owner, key_read=FEW)
    assert [api_keys.own(product, key).status for _ in range(3)] == [200, 200, 429]
    api_keys.set_limits(product, owner, key_read=MANY)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10)
    assert api_keys.own(product, key).status == 200


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("set_before", [False, True], ids=["first limits", "later limits"])
def test_a_key_that_is_made_while_limits_are_set_has_them(
    product: Product, owner: Account, set_before: bool
) -> None:
    """They are set between the reading of the counter and the writing of the key."""
    product.key(owner, "assets:read")
    if set_before:
        api_keys.set_limits(product, owner, key_read=FEW)
    table = product.part("key_rotation", AccessWiring).key_store._table

    def set_limits() -> dict[str, Any]:
        return api_keys.set_limits(product, owner, key_read=MANY)

    with accounts.meanwhile(table, "get", set_limits) as came_to:
        made = api_keys.create(product, owner).json
    assert [each["keys"] for each in came_to] == [1]
    assert api_keys.own(product, made).headers["ratelimit-policy"] == '"key-read";q=6000;w=3600'
    assert api_keys.counter(product)["count"] == 2


@pytest.mark.promise("limits-fail-closed")
def test_guessing_is_limited_by_address_whatever_is_wrong_with_the_guesses(
    product: Product, owner: Account
) -> None:
    good = product.key(owner, "assets:read")
    assert api_keys.own(product, good).status == 200
    publishable = product.key(owner, kind="publishable")
    unknown = "0123456789ABCDEFGHIJKLMNOPQrstuv"
    guesses = (
        {"key": good["key"][:-6] + "000000"},
        {"key": f"il_live_{unknown}{checksum(unknown)}"},
        publishable,
    )
    burst = POLICIES["bad-credential"].burst
    statuses = [api_keys.own(product, guesses[number % 3]).status for number in range(burst)]
    assert statuses == [401] * burst
    for guess in guesses:
        # The clock runs in between, so a slot may have trickled back.
        assert 429 in [api_keys.own(product, guess).status for _ in range(2)]
    # A key that this process has served is not held up by guesses from the same address; one that
    # it has not waits its turn (every_endpoint/test_limited_credentials.py).
    assert api_keys.own(product, good).status == 200
    assert product.call("GET", "/v1/brands", headers=bearer(good)).status == 403
