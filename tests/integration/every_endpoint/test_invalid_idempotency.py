"""Idempotency keys that are none, were used for something else, or whose thing is gone."""

from __future__ import annotations

from copy import replace

import pytest

from tests.support import api_keys, end_users, idempotent_requests, organizations
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.idempotent_requests import CREATING, OTHERWISE
from tests.support.product import Product

EVERY = pytest.mark.parametrize("route", CREATING)
NO_KEYS = ["", '""', "two words", "é", "tab\there", "x" * 256]


@EVERY
def test_a_key_that_is_none_is_refused_and_nothing_is_made(
    product: Product, owner: Account, route: str
) -> None:
    order = idempotent_requests.order(product, owner, route)
    before = product.counts()
    for bad in NO_KEYS:
        answer = order.send(bad)
        assert (answer.status, answer.json["code"]) == (400, "bad_request"), bad
    assert product.counts() == before
    assert order.send("x" * 255).status == 201


@EVERY
def test_the_same_key_with_another_request_is_refused_and_nothing_is_made(
    product: Product, owner: Account, route: str
) -> None:
    order = idempotent_requests.order(product, owner, route)
    first = order.send()
    before = product.counts()
    answer = order.send(**OTHERWISE[route])
    assert (answer.status, answer.json["code"]) == (422, "idempotency_mismatch")
    assert product.counts() == before
    # What it stands for is still answered.
    assert idempotent_requests.shown(order.send()) == idempotent_requests.shown(first)


@pytest.mark.parametrize("route", [route for route in CREATING if "{" in route])
def test_the_same_key_for_another_thing_in_the_path_is_refused(
    product: Product, owner: Account, route: str
) -> None:
    order, other = (idempotent_requests.order(product, owner, route) for _ in range(2))
    assert order.send().status == 201
    answer = other.send()
    assert (answer.status, answer.json["code"]) == (422, "idempotency_mismatch")


def test_the_same_key_in_the_other_mode_is_refused(product: Product, owner: Account) -> None:
    order = idempotent_requests.order(product, owner, "POST /v1/brands")
    live, test = (bearer(product.key(owner, *ALL_SCOPES, mode=mode)) for mode in ("live", "test"))
    assert order.send(headers=live).status == 201
    answer = order.send(headers=test)
    assert (answer.status, answer.json["code"]) == (422, "idempotency_mismatch")


@EVERY
def test_what_was_made_and_is_gone_is_missing_and_is_not_made_again(
    product: Product, owner: Account, route: str
) -> None:
    order = idempotent_requests.order(product, owner, route)
    made = order.send().json
    match route:
        case "POST /v1/keys" | "POST /v1/keys/{key_id}/rotate":
            api_keys.revoke(product, owner, made)
        case _ if "webhooks" in route:
            path = f"/v1/organization/webhooks/{made['id']}"
            product.call("DELETE", path, headers=owner.headers)
        case "POST /v1/brands":
            product.call("DELETE", f"/v1/brands/{made['id']}", headers=owner.headers)
        case "POST /v1/brands/{brand_id}/assets":
            product.delete("BrandsTable", product.item("BrandsTable", "UPLOAD#"))
        case "POST /v1/auth/session":
            end_users.revoke(product, owner.headers, all=True)
        case _:
            organizations.withdraw(product, owner, made["id"])
    before = product.counts()
    answer = order.send()
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert product.counts() == before


def test_a_session_that_ran_out_is_missing(product: Product, owner: Account) -> None:
    order = idempotent_requests.order(product, owner, "POST /v1/auth/session")
    session = order.send().json
    product.edit("SessionsTable", end_users.record(product, session), expires_at=1)
    assert order.send().status == 404


def test_a_file_of_a_brand_that_is_gone_is_missing(product: Product, owner: Account) -> None:
    order = idempotent_requests.order(product, owner, "POST /v1/brands/{brand_id}/assets")
    order.send()
    path = f"/v1/brands/{order.ids['brand_id']}"
    product.call("DELETE", path, headers=owner.headers)
    assert order.send().status == 404
    never = replace(order, ids=idempotent_requests.missing("brand_id", "brd"))
    assert never.send("order-2").status == 404
    assert len(order.records()) == 1


@EVERY
def test_a_request_that_keeps_meeting_its_twin_is_reported_and_made_once_the_twin_is_gone(
    product: Product, owner: Account, route: str
) -> None:
    order = idempotent_requests.order(product, owner, route)
    before = product.counts()
    with idempotent_requests.collisions(product, route, at_the_record=True):
        answer = order.send()
    assert (answer.status, answer.json["code"]) == (409, "idempotency_in_flight")
    with idempotent_requests.collisions(product, route, at_the_record=False):
        answer = order.send()
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert product.counts() == before
    assert not idempotent_requests.is_replayed(order.send())
