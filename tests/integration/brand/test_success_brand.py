"""Describing a brand and its files."""

from __future__ import annotations

import base64
import json

import pytest

from tests.support.api import Account
from tests.support.images import logo
from tests.support.product import Product

FULL = {
    "name": "Solstice Coffee",
    "palette": ["#ff6b35", "#1A2B4C"],
    "style": "paper cut, calm",
    "tone": ["warm", "quiet"],
    "avoid": ["people"],
    "prompt_suffix": "soft light",
}


def test_a_brand_is_made_read_changed_and_deleted(product: Product, owner: Account) -> None:
    brand = product.brand(owner, **FULL)
    path = f"/v1/brands/{brand['id']}"
    assert brand["palette"] == ["#FF6B35", "#1A2B4C"]
    assert product.call("GET", path, headers=owner.headers).json == brand
    changed = product.call("PATCH", path, headers=owner.headers, body={"tone": ["bold"]}).json
    assert changed["version"] == brand["version"] + 1
    assert {**changed, "version": 1, "tone": brand["tone"], "updated_at": ""} == {
        **brand,
        "updated_at": "",
    }
    assert product.call("DELETE", path, headers=owner.headers).status == 204
    assert product.call("GET", path, headers=owner.headers).status == 404
    assert [each["sk"] for each in product.items("BrandsTable")] == ["BRANDS"]


def test_an_empty_change_changes_nothing(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    path = f"/v1/brands/{brand['id']}"
    assert product.call("PATCH", path, headers=owner.headers, body={}).json == brand


def test_brands_are_listed_in_pages(product: Product, owner: Account) -> None:
    made = {product.brand(owner)["id"] for _ in range(3)}
    first = product.call("GET", "/v1/brands", headers=owner.headers, query={"limit": "2"}).json
    query = {"limit": "2", "cursor": first["next_cursor"]}
    second = product.call("GET", "/v1/brands", headers=owner.headers, query=query).json
    assert {each["id"] for each in first["data"] + second["data"]} == made
    assert (len(first["data"]), second["next_cursor"]) == (2, None)


@pytest.mark.promise("brand-isolated")
def test_an_upload_form_admits_exactly_the_announced_file(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    body = {"kind": "logo", "content_type": "image/png", "size_bytes": 1234}
    path = f"/v1/brands/{brand['id']}/assets"
    announced = product.call("POST", path, headers=owner.headers, body=body).json
    fields = announced["upload"]["fields"]
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert ["content-length-range", 1234, 1234] in policy["conditions"]
    assert {"Content-Type": "image/png"} in policy["conditions"]
    assert {"key": fields["key"]} in policy["conditions"]
    assert fields["key"] == f"incoming/{owner.org_id}/{brand['id']}/{announced['id']}"
    assert fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert announced["status"] == "pending"


def test_deleting_a_brand_deletes_its_files(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    for kind in ("logo", "logo_dark"):
        product.deliver_upload(product.upload(owner.headers, brand["id"], logo(), kind=kind))
    product.upload(owner.headers, brand["id"], logo(), kind="logo_mono")
    assert len(product.objects("BrandBucket")) == 3
    path = f"/v1/brands/{brand['id']}"
    assert product.call("DELETE", path, headers=owner.headers).status == 204
    assert product.objects("BrandBucket") == []
    assert [each["sk"] for each in product.items("BrandsTable")] == ["BRANDS"]
