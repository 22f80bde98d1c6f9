"""Requests that break a rule or ask for too much: nothing held, nothing queued."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.ids import new_id
from tests.support.product import Account, Product

UNKNOWN_BRAND = new_id("brd", 1_800_000_000, bytes)


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, "body.prompt"),
        ({"prompt": ""}, "body.prompt"),
        ({"prompt": " \n\t "}, "body.prompt"),
        ({"prompt": "x" * 4001}, "body.prompt"),
        ({"prompt": ["x"]}, "body.prompt"),
        ({"prompt": "x", "n": 5}, "body.n"),
        ({"prompt": "x", "n": "2"}, "body.n"),
        ({"prompt": "x", "model": "dall-e-2"}, "body.model"),
        ({"prompt": "x", "size": "100x100"}, "body.size"),
        ({"prompt": "x", "size": "4096x4096"}, "body.size"),
        ({"prompt": "x", "size": "big"}, "body.size"),
        ({"prompt": "x", "preset": "billboard"}, "body.preset"),
        ({"prompt": "x", "preset": "story", "size": "512x512"}, "body.preset"),
        ({"prompt": "x", "output_format": "gif"}, "body.output_format"),
        ({"prompt": "x", "seed": -1}, "body.seed"),
        ({"prompt": "x", "logo": "centre"}, "body.logo"),
        ({"prompt": "x", "credits": 0}, "body.credits"),
        ({"prompt": "x", "mode": "test"}, "body.mode"),
        ({"prompt": "x", "org_id": "org_1"}, "body.org_id"),
    ],
)
def test_a_broken_rule_names_its_field_and_holds_nothing(
    product: Product, owner: Account, body: dict[str, Any], location: str
) -> None:
    before = product.counts()
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [location]
    assert (product.counts(), product.queued()) == (before, 0)


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "two words", "tab\t", "ünicode", "\x7f"])
def test_an_idempotency_key_that_is_none_is_refused(
    product: Product, owner: Account, key: str
) -> None:
    headers = {**owner.headers, "idempotency-key": key}
    before = product.counts()
    answer = product.call("POST", "/v1/generations", headers=headers, body={"prompt": "x"})
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert product.counts() == before


@pytest.mark.parametrize("brand_id", [UNKNOWN_BRAND, "nonsense", "", "gen_" + UNKNOWN_BRAND[4:]])
def test_a_brand_that_is_not_there_is_missing_and_nothing_is_held(
    product: Product, owner: Account, brand_id: str
) -> None:
    body = {"prompt": "x", "brand_id": brand_id}
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert product.items("GenerationsTable") == []
    assert [i for i in product.items("CreditsTable") if i.get("reserved")] == []
    assert product.queued() == 0


@pytest.mark.promise("quota-org", "security-logged")
def test_out_of_credits_is_402_that_must_not_be_retried_and_holds_nothing(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "3"
    first = {"prompt": "x", "size": "256x256", "n": 2}
    assert product.call("POST", "/v1/generations", headers=owner.headers, body=first).status == 202
    before = product.dump_of("GenerationsTable"), product.dump_of("CreditsTable")
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=first)
    assert (answer.status, answer.json["code"]) == (402, "insufficient_credits")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json["error"]["type"] == "insufficient_quota"
    credits = product.dump_of("CreditsTable")
    marks = [item.pop("alerted_100") for item in credits if "alerted_100" in item]
    assert (product.dump_of("GenerationsTable"), credits) == before
    assert marks == [True]  # that the owners were told is all that changed
    assert product.queued() == 1
    (line,) = product.security_events("quota.denied")
    assert line["org_id"] == owner.org_id
    last = {"prompt": "x", "size": "256x256", "n": 1}
    assert product.call("POST", "/v1/generations", headers=owner.headers, body=last).status == 202


@pytest.mark.promise("quota-org")
def test_an_organization_without_an_allowance_makes_nothing(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "0"
    body = {"prompt": "x"}
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    assert answer.status == 402
    assert product.items("GenerationsTable") == []


def test_a_key_used_up_by_a_refused_request_may_be_used_again(
    product: Product, owner: Account
) -> None:
    headers = {**owner.headers, "idempotency-key": "abc"}
    missing = {"prompt": "x", "brand_id": UNKNOWN_BRAND}
    assert product.call("POST", "/v1/generations", headers=headers, body=missing).status == 404
    assert (
        product.call("POST", "/v1/generations", headers=headers, body={"prompt": "x"}).status == 202
    )
