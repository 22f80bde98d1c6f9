"""A job is made with the brand exactly as it stood when it was accepted."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.generations import create, job, read
from tests.support.ledger import another_process, held
from tests.support.product import Product

NEW = {"palette": ["#101010", "#F0F000"], "style": "noisy", "prompt_suffix": "at night"}


def change(product: Product, owner: Account, brand: dict[str, Any], **fields: Any) -> Answer:
    """Change a brand, in the process of another function."""
    path = f"/v1/brands/{brand['id']}"
    return product.call("PATCH", path, headers=owner.headers, body=fields)


def drop(product: Product, owner: Account, brand: dict[str, Any]) -> None:
    """Delete a brand, in the process of another function."""
    path = f"/v1/brands/{brand['id']}"
    assert product.call("DELETE", path, headers=owner.headers).status == 204


def finished(product: Product, owner: Account, generation_id: str) -> tuple[int, str]:
    """The version of the brand that a job shows, and a digest of its one picture."""
    product.work_queue()
    seen = read(product, owner.headers, generation_id)
    assert seen["status"] == "succeeded", seen
    data = product.fetch(seen["assets"][0]["url"])[1]
    return seen["brand_version"], hashlib.sha256(data).hexdigest()


@pytest.fixture
def brand(product: Product, owner: Account) -> dict[str, Any]:
    """A brand without a logo."""
    return product.brand(owner, style="calm")


def test_a_brand_that_changes_while_a_job_waits_does_not_change_the_job(
    product: Product, owner: Account, brand: dict[str, Any]
) -> None:
    body = {"brand_id": brand["id"], "seed": 7}
    before = finished(product, owner, create(product, owner.headers, **body).json["id"])
    waits = create(product, owner.headers, **body).json["id"]
    assert change(product, owner, brand, **NEW).json["version"] == 2
    assert finished(product, owner, waits) == before
    assert before[0] == 1
    after = finished(product, owner, create(product, owner.headers, **body).json["id"])
    assert after[0] == 2
    assert after[1] != before[1]  # so the pictures above were not alike for want of a difference


def test_a_brand_that_is_deleted_while_a_job_waits_is_in_the_job_all_the_same(
    product: Product, owner: Account, brand: dict[str, Any]
) -> None:
    body = {"brand_id": brand["id"], "seed": 7}
    before = finished(product, owner, create(product, owner.headers, **body).json["id"])
    waits = create(product, owner.headers, **body).json["id"]
    drop(product, owner, brand)
    assert finished(product, owner, waits) == before


@pytest.mark.promise("quota-org")
def test_a_process_that_knows_an_older_version_accepts_with_the_newest(
    product: Product, owner: Account, brand: dict[str, Any]
) -> None:
    body = {"brand_id": brand["id"]}
    assert create(product, owner.headers, **body).json["brand_version"] == 1
    change(product, owner, brand, **NEW)
    made = create(product, owner.headers, **body).json
    assert made["brand_version"] == 2
    assert job(product, made["id"])["brand"]["palette"] == NEW["palette"]
    with another_process(product):
        assert create(product, owner.headers, **body).json["brand_version"] == 2
    assert held(product) == (0, 3)
    assert product.queued() == 3


@pytest.mark.promise("quota-org", "brand-isolated")
def test_a_process_that_knows_a_brand_that_is_gone_accepts_nothing_with_it(
    product: Product, owner: Account, brand: dict[str, Any]
) -> None:
    body = {"brand_id": brand["id"]}
    first = create(product, owner.headers, "order-1", **body).json["id"]
    drop(product, owner, brand)
    for _ in range(2):
        refused = create(product, owner.headers, **body)
        assert (refused.status, refused.json["code"]) == (404, "not_found")
    assert held(product) == (0, 1)
    assert product.queued() == 1
    # What an earlier request made is still answered, by this process and by one that knows nothing.
    assert create(product, owner.headers, "order-1", **body).json["id"] == first
    with another_process(product):
        again = create(product, owner.headers, "order-1", **body)
    assert (again.json["id"], again.headers["idempotent-replayed"]) == (first, "true")


@pytest.mark.promise("brand-isolated", "org-scoped")
def test_what_a_process_knows_of_a_brand_is_of_no_use_to_another_organization(
    product: Product, owner: Account, stranger: Account, brand: dict[str, Any]
) -> None:
    body = {"brand_id": brand["id"]}
    assert create(product, owner.headers, **body).status == 202
    for headers in (stranger.headers, bearer(product.key(stranger, *ALL_SCOPES))):
        assert create(product, headers, **body).status == 404
    assert len(product.items("GenerationsTable")) == 1


def test_the_report_of_an_image_names_the_version_it_was_made_with(
    product: Product, owner: Account, brand: dict[str, Any]
) -> None:
    for version in (1, 2):
        made = create(product, owner.headers, brand_id=brand["id"]).json["id"]
        product.work_queue()
        seen = read(product, owner.headers, made)
        assert (seen["brand_id"], seen["brand_version"]) == (brand["id"], version)
        change(product, owner, brand, style=f"style {version}")
    plain = create(product, owner.headers).json
    assert (plain["brand_id"], plain["brand_version"]) == (None, None)
