"""A key's default brand: for clients that cannot name one, on every route that makes images."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import api_keys
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.openai_requests import edit, edit_form, generate, picture
from tests.support.product import Product

MISSING = "brd_01m8981tw4q6fc4mrshf0549qg"


def ask(product: Product, headers: dict[str, str], route: str, **body: Any) -> Answer:
    """Ask for an image by one of the routes."""
    if route == "generations":
        fields = {"prompt": "warm waves", "size": "256x256", **body}
        return product.call("POST", "/v1/generations", headers=headers, body=fields)
    if route == "edits":
        return edit(product, headers, picture(), **body)
    if route == "form":
        return edit_form(product, headers, [("image", picture())], body)
    return generate(product, headers, **body)


def brand_of(answer: Answer) -> Any:
    """The brand that an image was made with."""
    assert answer.status in (200, 202), answer.text
    return answer.json["brand_id"]


ROUTES = pytest.mark.parametrize("route", ["generations", "images", "edits", "form"])


@ROUTES
def test_it_is_applied_where_a_request_names_none(
    product: Product, owner: Account, route: str
) -> None:
    brand, other = product.brand(owner), product.brand(owner, name="Other")
    headers = bearer(product.key(owner, *ALL_SCOPES, default_brand_id=brand["id"]))
    assert brand_of(ask(product, headers, route)) == brand["id"]
    assert brand_of(ask(product, headers, route, brand_id=other["id"])) == other["id"]
    if route != "form":
        assert brand_of(ask(product, headers, route, brand_id=None)) is None
    job = product.call("GET", "/v1/generations", headers=headers).json["data"][-1]
    assert (job["brand_id"], job["brand_version"]) == (brand["id"], 1)


@pytest.mark.parametrize("route", ["generations", "images", "edits"])
def test_with_and_without_it_are_different_requests_under_one_idempotency_key(
    product: Product, owner: Account, route: str
) -> None:
    key = product.key(owner, *ALL_SCOPES, default_brand_id=product.brand(owner)["id"])
    headers = {**bearer(key), "Idempotency-Key": "an-order-of-ours"}
    assert brand_of(ask(product, headers, route)) is not None
    answer = ask(product, headers, route, brand_id=None)
    assert (answer.status, answer.json["code"]) == (422, "idempotency_mismatch")


def test_a_key_without_one_makes_unbranded_images(product: Product, owner: Account) -> None:
    product.brand(owner)
    assert brand_of(generate(product, bearer(product.key(owner, *ALL_SCOPES)))) is None
    assert brand_of(generate(product, owner.headers)) is None


def test_a_change_holds_from_the_next_request(product: Product, owner: Account) -> None:
    first, second = product.brand(owner), product.brand(owner, name="Second")
    key = product.key(owner, *ALL_SCOPES)
    for brand_id in (None, first["id"], second["id"], None):
        changed = api_keys.change(product, owner, key, default_brand_id=brand_id)
        assert changed.json["default_brand_id"] == brand_id
        assert brand_of(generate(product, bearer(key))) == brand_id


@pytest.mark.promise("org-scoped")
@ROUTES
@pytest.mark.parametrize("whose", ["deleted", "foreign", "none"])
def test_one_that_is_missing_is_refused_rather_than_left_out(
    product: Product, owner: Account, stranger: Account, route: str, whose: str
) -> None:
    brand_id = MISSING
    if whose != "none":
        account = stranger if whose == "foreign" else owner
        brand_id = product.brand(account)["id"]
    key = product.key(owner, *ALL_SCOPES, default_brand_id=brand_id)
    if whose == "deleted":
        path = f"/v1/brands/{brand_id}"
        assert product.call("DELETE", path, headers=owner.headers).status == 204
    answer = ask(product, bearer(key), route)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert "default_brand_id" in answer.json["detail"]
    assert product.items("GenerationsTable") == product.items("CreditsTable") == []
    assert product.objects("MediaBucket") == []


def test_sessions_that_it_mints_have_none(product: Product, owner: Account) -> None:
    key = product.key(owner, *ALL_SCOPES, default_brand_id=product.brand(owner)["id"])
    token = product.session(key)["session_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert brand_of(ask(product, headers, "generations")) is None
