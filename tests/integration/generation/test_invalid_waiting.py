"""Waits that are none, and waiting for what is not one's own."""

from __future__ import annotations

import pytest

from tests.support.api import Account
from tests.support.generations import create
from tests.support.product import Product


@pytest.mark.parametrize("wait", ["26", "-1", "1.5", "x", "0x5", "٣", "99999", "+5", " 5"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(
    product: Product, owner: Account, wait: str
) -> None:
    made = create(product, owner.headers).json["id"]
    path = f"/v1/generations/{made}"
    answer = product.call("GET", path, headers=owner.headers, query={"wait": wait})
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == ["query.wait"]
    assert product._waited == 0


@pytest.mark.promise("org-scoped")
def test_another_users_job_is_missing_at_once_and_not_after_a_wait(
    product: Product, owner: Account, stranger: Account
) -> None:
    made = create(product, owner.headers).json["id"]
    for job_id in (made, "gen_00000000000000000000000000"):
        answer = product.call(
            "GET", f"/v1/generations/{job_id}", headers=stranger.headers, query={"wait": "20"}
        )
        assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert product._waited == 0
