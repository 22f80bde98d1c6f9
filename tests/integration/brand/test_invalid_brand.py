"""Brands and files that break a rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Account
from tests.support.product import Product

VALID: dict[str, Any] = {"name": "Brand", "palette": ["#112233"]}


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({"palette": []}, "body.palette"),
        ({"palette": ["red"]}, "body.palette.0"),
        ({"palette": ["#112233", "#11223"]}, "body.palette.1"),
        ({"palette": ["#112233"] * 9}, "body.palette"),
        ({"name": None}, "body.name"),
        ({"name": "<b>"}, "body.name"),
        ({"tone": ["x"] * 13}, "body.tone"),
        ({"tone": [1]}, "body.tone.0"),
        ({"style": "x" * 2001}, "body.style"),
        ({"logos": {}}, "body.logos"),
        ({"version": 7}, "body.version"),
        ({"org_id": "org_1"}, "body.org_id"),
    ],
)
def test_a_brand_that_breaks_a_rule_is_neither_made_nor_changed(
    product: Product, owner: Account, changes: dict[str, Any], location: str
) -> None:
    brand = product.brand(owner)
    before = product.items("BrandsTable")
    path = f"/v1/brands/{brand['id']}"
    for method, target, body in (
        ("POST", "/v1/brands", {**VALID, **changes}),
        ("PATCH", path, changes),
    ):
        answer = product.call(method, target, headers=owner.headers, body=body)
        assert (answer.status, answer.json["code"]) == (422, "validation_failed")
        assert [each["location"] for each in answer.json["errors"]] == [location]
    assert product.items("BrandsTable") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "favicon"},
        {"kind": "logo.logos"},
        {"content_type": "image/svg+xml"},
        {"content_type": "text/html"},
        {"size_bytes": 0},
        {"size_bytes": 5_242_881},
        {"size_bytes": "10"},
        {"key": "incoming/elsewhere"},
    ],
)
def test_a_file_of_another_kind_type_or_size_is_not_announced(
    product: Product, owner: Account, changes: dict[str, Any]
) -> None:
    brand = product.brand(owner)
    body = {"kind": "logo", "content_type": "image/png", "size_bytes": 10, **changes}
    before = product.counts()
    path = f"/v1/brands/{brand['id']}/assets"
    assert product.call("POST", path, headers=owner.headers, body=body).status == 422
    assert product.counts() == before


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "brd_"}, {"cursor": "BRAND#"}],
)
@pytest.mark.parametrize("path", ["/v1/brands", "/v1/keys", "/v1/generations"])
def test_a_list_refuses_what_is_not_a_limit_or_cursor(
    product: Product, owner: Account, path: str, query: dict[str, str]
) -> None:
    answer = product.call("GET", path, headers=owner.headers, query=query)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")


def test_a_brand_that_is_gone_cannot_be_changed_back_to_life(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner)
    path = f"/v1/brands/{brand['id']}"
    product.call("DELETE", path, headers=owner.headers)
    for method, body in (("PATCH", {"style": "x"}), ("DELETE", None)):
        assert product.call(method, path, headers=owner.headers, body=body).status == 404
    assert [each["sk"] for each in product.items("BrandsTable")] == ["BRANDS"]
