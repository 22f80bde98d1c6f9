"""What is sent again with the same idempotency key is made once, whatever it makes."""

from __future__ import annotations

import time

import pytest

from tests.support import api_keys, idempotent_requests
from tests.support.api import Account
from tests.support.idempotent_requests import CREATING, OTHERWISE, OWN, SHARED, TABLES
from tests.support.product import Product

EVERY = pytest.mark.parametrize("route", CREATING)
DAY = 86_400


def test_all_routes_that_take_the_key_are_tested_here() -> None:
    assert set(CREATING) == set(OTHERWISE) == set(TABLES) == {*SHARED, *OWN}


@pytest.mark.promise("keys-hashed")
@EVERY
def test_a_repeated_request_is_answered_as_the_first_and_nothing_secret_is_kept_for_it(
    product: Product, owner: Account, route: str
) -> None:
    order = idempotent_requests.order(product, owner, route)
    before = time.time()
    first = order.send("order-4711")
    assert not idempotent_requests.is_replayed(first)
    (record,) = order.records()
    assert before + DAY - 1 <= record["expires_at"] == record["purge_at"] <= time.time() + DAY
    counts = product.counts()
    for same in ('"order-4711"', "order-4711"):  # bare or quoted
        repeated = order.send(same)
        assert idempotent_requests.is_replayed(repeated)
        assert idempotent_requests.shown(repeated) == idempotent_requests.shown(first)
    assert product.counts() == counts
    assert order.records() == [record]
    # Another key, and no key at all, make another thing.
    more = [order.send("order-4712"), order.send(None), order.send(None)]
    assert not any(map(idempotent_requests.is_replayed, more))
    secrets = {
        answer.json[name]
        for answer in (first, *more)
        for name in ("key", "session_token", "secret")
        if name in answer.json
    }
    assert len(secrets) == (4 if route in OWN else 0)
    written = product.dump() + product.output.getvalue()
    for secret in ("order-4711", "order-4712", *secrets):
        assert secret not in written
    assert {*record} == {"pk", "sk", "fingerprint", "actor", "made", "expires_at", "purge_at"}


@EVERY
def test_a_key_is_forgotten_after_a_day(product: Product, owner: Account, route: str) -> None:
    """Whether or not TTL has removed its record."""
    order = idempotent_requests.order(product, owner, route)
    first = order.send()
    (record,) = order.records()
    product.edit(TABLES[route], record, expires_at=int(time.time()))
    anew = order.send()
    assert not idempotent_requests.is_replayed(anew)
    assert idempotent_requests.shown(anew) != idempotent_requests.shown(first)
    assert idempotent_requests.is_replayed(order.send())
    (renewed,) = order.records()
    assert renewed["expires_at"] >= record["expires_at"]


@pytest.mark.parametrize("route", SHARED)
def test_a_key_means_the_same_to_all_of_an_organization(
    product: Product, owner: Account, route: str
) -> None:
    order = idempotent_requests.order(product, owner, route)
    first = order.send()
    repeated = order.send(headers=idempotent_requests.colleague(product, owner, route))
    assert idempotent_requests.is_replayed(repeated)
    assert idempotent_requests.shown(repeated) == idempotent_requests.shown(first)


def test_one_key_is_another_for_each_operation(product: Product, owner: Account) -> None:
    orders = [idempotent_requests.order(product, owner, route) for route in CREATING]
    assert [idempotent_requests.is_replayed(order.send()) for order in orders] == [False] * len(
        CREATING
    )
    assert [idempotent_requests.is_replayed(order.send()) for order in orders] == [True] * len(
        CREATING
    )


@EVERY
def test_what_was_refused_is_not_remembered(product: Product, owner: Account, route: str) -> None:
    order = idempotent_requests.order(product, owner, route)
    assert order.send(made_up="x").status == 422
    assert order.records() == []
    assert not idempotent_requests.is_replayed(order.send())


def test_what_was_refused_for_a_reason_that_is_gone_is_made(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    create, rotate = (
        idempotent_requests.order(product, owner, route)
        for route in ("POST /v1/keys", "POST /v1/keys/{key_id}/rotate")
    )
    product.edit("KeysTable", api_keys.counter(product), count=100)
    assert create.send().json["code"] == "key_limit_reached"
    api_keys.revoke(product, owner, key)
    assert not idempotent_requests.is_replayed(create.send())
    (expired,) = [
        item for item in product.items("KeysTable") if item["sk"] == f"KEY#{rotate.ids['key_id']}"
    ]
    product.edit("KeysTable", expired, valid_until=1)
    assert rotate.send().json["code"] == "conflict"
    product.edit("KeysTable", expired)
    assert not idempotent_requests.is_replayed(rotate.send())
    assert len(create.records()) == 2


def test_a_repeated_creation_is_reported_once(product: Product, owner: Account) -> None:
    for route in CREATING:
        order = idempotent_requests.order(product, owner, route)
        before = {
            event: len(product.security_events(event))
            for event in ("key.created", "key.rotated", "session.minted", "member.invited")
        }
        product.deliver_mail()
        order.send()
        once = {event: len(product.security_events(event)) for event in before}
        product.deliver_mail()
        order.send()
        assert {event: len(product.security_events(event)) for event in before} == once
        # An invitation's mail is asked for again: the first request may have died before that.
        asked = [message["kind"] for message in product.asked_mails()]
        assert asked == (["invitation"] if route.endswith("/invitations") else [])


def test_a_brand_is_answered_as_it_is_by_then(product: Product, owner: Account) -> None:
    order = idempotent_requests.order(product, owner, "POST /v1/brands")
    brand = order.send().json
    path = f"/v1/brands/{brand['id']}"
    changed = product.call("PATCH", path, headers=owner.headers, body={"style": "calm"}).json
    assert idempotent_requests.shown(order.send()) == changed
