"""What is not a range of days or no grouping is refused by name."""

from __future__ import annotations

import pytest

from tests.support.api import Account
from tests.support.generations import create
from tests.support.product import Product

USAGE = "/v1/organization/usage"
REFUSED: list[tuple[dict[str, str], str]] = [
    ({"start": "today"}, "query.start"),
    ({"start": "2026-1-1"}, "query.start"),
    ({"start": "20260101"}, "query.start"),
    ({"start": "2026-W01-1"}, "query.start"),
    ({"start": "2026-01-01T00:00:00Z"}, "query.start"),
    ({"start": "2026-02-30"}, "query.start"),
    ({"start": "0000-01-01"}, "query.start"),
    ({"start": "２026-01-01"}, "query.start"),  # noqa: RUF001
    ({"end": "2026-13-01"}, "query.end"),
    ({"start": "2026-01-02", "end": "2026-01-01"}, "query.end"),
    ({"start": "2026-01-01", "end": "2026-04-03"}, "query.end"),  # 93 days
    ({"start": "0001-01-01", "end": "9999-12-31"}, "query.end"),
    ({"group_by": "day,"}, "query.group_by"),
    ({"group_by": "Day"}, "query.group_by"),
    ({"group_by": "day, key"}, "query.group_by"),
    ({"group_by": "day,user_id"}, "query.group_by"),
    ({"group_by": "org_id"}, "query.group_by"),
]
ANSWERED: list[dict[str, str]] = [
    {"start": "2026-01-01", "end": "2026-04-02"},  # 92 days
    {"start": "9999-12-31", "end": "9999-12-31"},
    {"start": "9999-12-31"},
    {"start": "", "end": "", "group_by": ""},
    {"start": "0001-01-01", "end": "0001-01-01"},
    {"group_by": "day,day,mode,day"},
]


def test_what_breaks_a_rule_names_its_parameter(product: Product, owner: Account) -> None:
    for query, location in REFUSED:
        answer = product.call("GET", USAGE, headers=owner.headers, query=query)
        assert (answer.status, answer.json["code"]) == (422, "validation_failed"), query
        assert [each["location"] for each in answer.json["errors"]] == [location], query


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ({"start": "2026-01-02", "end": "2026-01-01"}, "must not be before start"),
        ({"start": "2026-01-01", "end": "2026-04-03"}, "must be at most 91 days after start"),
    ],
)
def test_a_range_that_is_refused_says_which_way(
    product: Product, owner: Account, days: dict[str, str], message: str
) -> None:
    answer = product.call("GET", USAGE, headers=owner.headers, query=days)
    assert [each["message"] for each in answer.json["errors"]] == [message]


def test_what_is_just_within_the_rules_is_answered(product: Product, owner: Account) -> None:
    for query in ANSWERED:
        answer = product.call("GET", USAGE, headers=owner.headers, query=query)
        assert answer.status == 200, query
        assert answer.json["group_by"] == (["day", "mode"] if query.get("group_by") else ["day"])


@pytest.mark.parametrize("group_by", ["day", "end_user"])
def test_more_rows_than_one_answer_holds_are_refused_and_never_cut_short(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch, group_by: str
) -> None:
    for seconds, brand in enumerate((None, product.brand(owner)["id"])):
        assert create(product, owner.headers, brand_id=brand, seed=seconds).status == 202
    product.work_queue()
    query = {"group_by": group_by}
    monkeypatch.setattr("imagelayer.credits.usage.MAX_ROWS", 2)
    assert product.call("GET", USAGE, headers=owner.headers, query=query).status == 200
    monkeypatch.setattr("imagelayer.credits.usage.MAX_ROWS", 1)
    answer = product.call("GET", USAGE, headers=owner.headers, query=query)
    assert (answer.status, answer.json["errors"][0]["location"]) == (422, "query.end")
