"""Brands and their files cost nothing, so their numbers are capped."""

from __future__ import annotations

import time

import pytest

from imagelayer.brands.service import MAX_UPLOADS
from imagelayer.brands.store import MAX_BRANDS
from imagelayer.platform.times import utc_day
from tests.support.api import Account, Answer
from tests.support.product import Product

BRAND = {"name": "Solstice", "palette": ["#FF6B35", "#1A2B4C"]}
FILE = {"kind": "logo", "content_type": "image/png", "size_bytes": 1000}


def create(product: Product, headers: dict[str, str], key: str = "") -> Answer:
    """Ask for a brand."""
    sent = {**headers, "idempotency-key": key} if key else headers
    return product.call("POST", "/v1/brands", headers=sent, body=BRAND)


def announce(product: Product, owner: Account, brand_id: str) -> Answer:
    """Ask for the form of a file."""
    path = f"/v1/brands/{brand_id}/assets"
    return product.call("POST", path, headers=owner.headers, body=FILE)


def counted(product: Product, owner: Account, count: int) -> None:
    """Let the organization have so many brands."""
    product.edit("BrandsTable", {"pk": f"ORG#{owner.org_id}", "sk": "BRANDS"}, count=count)


def test_a_brand_too_many_is_refused_until_one_is_deleted(
    product: Product, owner: Account, stranger: Account
) -> None:
    first = create(product, owner.headers).json["id"]
    assert product.item("BrandsTable", "BRANDS")["count"] == 1
    counted(product, owner, MAX_BRANDS - 1)
    assert create(product, owner.headers, "last").status == 201
    before = product.dump_of("BrandsTable")
    answer = create(product, owner.headers)
    assert (answer.status, answer.json["code"]) == (409, "brand_limit_reached")
    assert create(product, owner.headers, "another").status == 409
    assert product.dump_of("BrandsTable") == before
    assert create(product, owner.headers, "last").status == 201  # it has been made
    assert create(product, stranger.headers).status == 201
    for status in (204, 404):
        path = f"/v1/brands/{first}"
        assert product.call("DELETE", path, headers=owner.headers).status == status
    assert create(product, owner.headers).status == 201
    assert create(product, owner.headers).status == 409


def test_an_upload_too_many_in_a_day_is_refused_until_the_next(
    product: Product, owner: Account, stranger: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    brand, others = product.brand(owner)["id"], product.brand(stranger)["id"]
    pk = f"ALLOWANCE#uploads#{owner.org_id}"
    product.edit("CountersTable", {"pk": pk, "sk": utc_day(now)}, taken=MAX_UPLOADS - 1)
    monkeypatch.setattr(time, "time", lambda: now)
    assert announce(product, owner, brand).status == 201
    before = product.dump_of("BrandsTable")
    answer = announce(product, owner, brand)
    assert (answer.status, answer.json["code"]) == (429, "upload_limit")
    assert answer.headers["ratelimit-policy"] == f'"uploads";q={MAX_UPLOADS};w=86400'
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    assert product.dump_of("BrandsTable") == before
    assert announce(product, stranger, others).status == 201
