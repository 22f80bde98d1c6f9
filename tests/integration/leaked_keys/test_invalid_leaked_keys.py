"""Reports that are signed and say nothing that can be acted on."""

from __future__ import annotations

import json

import pytest

from imagelayer.access.leaked_keys import MAX_REPORTED
from imagelayer.api.route import MAX_BODY_BYTES
from tests.support import api_keys, leak_reports
from tests.support.api import Account
from tests.support.product import Product


@pytest.mark.promise("body-limits")
def test_a_report_that_is_none_is_refused_and_nothing_is_revoked(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    before = product.counts()
    leak = leak_reports.leak(key["key"])
    for bad in (
        "",
        "{nope",
        "null",
        json.dumps(leak),
        "[]",
        json.dumps([leak, {"type": "no token"}]),
        json.dumps([leak, {"token": 7}]),
        json.dumps([leak, {"token": "x" * 501}]),
        json.dumps([leak] * (MAX_REPORTED + 1)),
        "[" * 20_000,
    ):
        answer = leak_reports.send(product, bad)
        assert (answer.status, answer.json["code"]) == (422, "validation_failed"), bad[:60]
        assert key["key"] not in answer.text
    too_big = json.dumps([{**leak, "extra": "x" * MAX_BODY_BYTES}])
    assert leak_reports.send(product, too_big).status == 413
    assert product.counts() == before
    assert api_keys.own(product, key).status == 200


def test_a_hundred_tokens_are_one_report(product: Product) -> None:
    answer = leak_reports.report(product, *(f"token {number}" for number in range(MAX_REPORTED)))
    assert leak_reports.labels(answer) == ["false_positive"] * MAX_REPORTED
