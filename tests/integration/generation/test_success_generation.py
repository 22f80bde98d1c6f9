"""Asking for images: a job with its credits held, once."""

from __future__ import annotations

import time

import pytest

from imagelayer.platform.times import rfc3339
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.generations import create
from tests.support.ledger import balances
from tests.support.product import Product


def test_an_accepted_job_is_queued_with_its_price_held(product: Product, owner: Account) -> None:
    answer = create(product, owner.headers, n=3, preset="square", size=None)
    assert answer.status == 202
    job = answer.json
    assert (job["status"], job["credits"], job["width"], job["n"]) == ("queued", 6, 1080, 3)
    assert answer.headers["location"] == f"/v1/generations/{job['id']}"
    assert list(balances(product, owner.org_id).values()) == [(1000, 0, 6, 994)]
    assert product.queued() == 1
    seen = product.call("GET", answer.headers["location"], headers=owner.headers)
    assert seen.json == job


@pytest.mark.promise("media-72h")
def test_a_job_its_prompt_and_its_images_expire_together_at_72_hours(
    product: Product, owner: Account
) -> None:
    job = create(product, owner.headers).json
    product.work_queue()
    stored = product.item("GenerationsTable", "GEN#")
    asset = product.item("GenerationsTable", "AST#")
    assert stored["expires_at"] == asset["expires_at"] == stored["created_at"] + 72 * 3600
    assert job["expires_at"] == rfc3339(stored["expires_at"])
    assert stored["purge_at"] > stored["expires_at"]


def test_jobs_are_listed_newest_first_in_pages(product: Product, owner: Account) -> None:
    made = []
    for _ in range(3):
        made.append(create(product, owner.headers).json["id"])
        time.sleep(0.002)
    query = {"limit": "2"}
    first = product.call("GET", "/v1/generations", headers=owner.headers, query=query).json
    query["cursor"] = first["next_cursor"]
    second = product.call("GET", "/v1/generations", headers=owner.headers, query=query).json
    assert [each["id"] for each in first["data"] + second["data"]] == made[::-1]


def test_test_keys_cost_nothing_and_are_counted_all_the_same(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, *ALL_SCOPES, mode="test")
    job = create(product, bearer(key), n=2).json
    assert (job["mode"], job["credits"]) == ("test", 0)
    product.work_queue()
    kinds = sorted(item["sk"].partition("#")[0] for item in product.items("CreditsTable"))
    assert kinds == ["PLAN", "USAGE"]
    row = product.item("CreditsTable", "USAGE#")
    assert (row["mode"], row["key_id"]) == ("test", key["id"])
    assert (row["generations"], row["images"], row["credits"]) == (1, 2, 0)


def test_a_job_whose_message_was_lost_is_accepted_all_the_same(
    product: Product, owner: Account
) -> None:
    """It is durable once the transaction holds; the sweep sends the message again."""
    with product.broken("sqs"):
        answer = create(product, owner.headers)
    assert answer.status == 202
    assert product.queued() == 0
    job = product.item("GenerationsTable", "GEN#")
    assert -600 < job["sweep_at"] - time.time() <= 120
