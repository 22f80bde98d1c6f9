"""Images of test keys cost nothing, so their number a day is what bounds them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.generations.acceptance import MAX_TEST_IMAGES
from imagelayer.platform.times import utc_day
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.generations import create
from tests.support.openai_requests import generate
from tests.support.product import Product

NOON = 2_000_000_000 // 86_400 * 86_400 + 43_200  # far from a change of the day


@pytest.fixture(autouse=True)
def noon(product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is made before it: tokens would have expired by then."""
    product.test_key = bearer(  # type: ignore[attr-defined]
        product.key(owner, *ALL_SCOPES, mode="test")
    )
    product.live_key = bearer(product.key(owner, *ALL_SCOPES))  # type: ignore[attr-defined]
    monkeypatch.setattr(time, "time", lambda: float(NOON))


def taken(product: Product, owner: Account, count: int, at: float = NOON) -> None:
    """Let so many test images have been made that day."""
    pk = f"ALLOWANCE#test-images#{owner.org_id}"
    product.edit("CountersTable", {"pk": pk, "sk": utc_day(at)}, taken=count)


def is_used_up(answer: Answer) -> bool:
    """Whether the allowance refused a call, and says until when."""
    if answer.status != 429:
        return False
    assert answer.json["code"] == "test_image_limit"
    assert answer.headers["retry-after"] == "43200"
    assert answer.headers["ratelimit-policy"] == f'"test-images";q={MAX_TEST_IMAGES};w=86400'
    assert answer.headers["ratelimit"] == '"test-images";r=0;t=43200'
    assert answer.headers["x-should-retry"] == "false"
    return True


def test_the_last_images_of_the_day_are_made_and_no_more(product: Any, owner: Account) -> None:
    taken(product, owner, MAX_TEST_IMAGES - 3)
    assert is_used_up(create(product, product.test_key, n=4))
    assert create(product, product.test_key, n=2).status == 202
    assert is_used_up(create(product, product.test_key, n=2))
    assert create(product, product.test_key).status == 202
    before = product.dump_of("GenerationsTable"), product.dump_of("CreditsTable"), product.queued()
    assert is_used_up(create(product, product.test_key))
    assert is_used_up(generate(product, product.test_key))
    after = product.dump_of("GenerationsTable"), product.dump_of("CreditsTable"), product.queued()
    assert after == before
    item = product.item("CountersTable", utc_day(NOON))
    assert (item["taken"], item["expires_at"]) == (MAX_TEST_IMAGES, NOON + 43_200 + 86_400)
    assert len(product.security_events("quota.denied")) == 4


def test_live_keys_other_organizations_and_the_next_day_are_not_affected(
    product: Any, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(product, owner, MAX_TEST_IMAGES)
    assert is_used_up(create(product, product.test_key))
    assert create(product, product.live_key).status == 202
    monkeypatch.setattr(time, "time", lambda: float(NOON + 43_200))
    assert create(product, product.test_key).status == 202


def test_a_repeated_request_counts_once_and_finds_its_job_when_nothing_is_left(
    product: Any, owner: Account
) -> None:
    taken(product, owner, MAX_TEST_IMAGES - 2)
    first = create(product, product.test_key, "order-1", n=2)
    again = create(product, product.test_key, "order-1", n=2)
    assert (first.status, again.status) == (202, 202)
    assert again.json["id"] == first.json["id"]
    assert product.item("CountersTable", utc_day(NOON))["taken"] == MAX_TEST_IMAGES


def test_what_is_refused_for_another_reason_takes_none(product: Any, owner: Account) -> None:
    missing = "brd_00000000000000000000000000"
    assert create(product, product.test_key, brand_id=missing).status == 404
    assert [each for each in product.items("CountersTable") if "test-images" in each["pk"]] == []
