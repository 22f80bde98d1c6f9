"""What a usage report covers; however usage is grouped, it adds up to the same."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.credits.parameters import GROUPS, MAX_DAYS
from imagelayer.credits.store import allowance_name, balance_name
from imagelayer.credits.usage import MAX_ROWS, UsageReport
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Principal
from imagelayer.platform.table import Item

NOW = 1_800_000_000.0  # 2027-01-15
CALLER = Principal("key", "org_1", "key_1", frozenset())
NUMBERS = ("generations", "images", "credits")
COLUMNS = {"key": "key_id", "brand": "brand_id", "end_user": "end_user_id"}
KIND = ("key_id", "user_id", "model", "brand_id", "mode")

GENERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.sampled_from(["2027-01-01", "2027-01-02"]),
            "key_id": st.sampled_from([None, "key_1", "key_2"]),
            "user_id": st.sampled_from(["usr_1", "usr_2"]),
            "model": st.just("studio"),
            "brand_id": st.sampled_from([None, "brd_1"]),
            "mode": st.sampled_from(["live", "test"]),
            "end_user_id": st.sampled_from([None, "a", "b"]),
            "shard": st.integers(0, 1),
            "images": st.integers(1, 4),
        }
    ).map(
        lambda each: {
            **each,
            "user_id": None if each["key_id"] else each["user_id"],
            "end_user_id": each["end_user_id"] if each["key_id"] else None,
            "generations": 1,
            "credits": 0 if each["mode"] == "test" else each["images"],
        }
    ),
    max_size=12,
)


@dataclass
class Rows:
    """The rows that some generations were counted in, as the store writes them."""

    generations: list[Item]

    def usage(
        self, org_id: str, first: str, last: str, *, by_end_user: bool, limit: int
    ) -> list[Item]:
        names = (*KIND, "end_user_id") if by_end_user else KIND
        found: dict[tuple[Any, ...], Item] = {}
        for each in self.generations:
            if by_end_user and each["end_user_id"] is None:
                continue
            kind = tuple(each[name] for name in names)
            known = {name: each[name] for name in names if each[name] is not None}
            row = found.setdefault(
                (each["day"], kind, each["shard"]),
                {"day": each["day"], **known, **dict.fromkeys(NUMBERS, 0)},
            )
            for name in NUMBERS:
                row[name] += each[name]
        return list(found.values())

    def plan(self, org_id: str) -> Item:
        return {}

    def balances(self, org_id: str, now: int) -> list[Item]:
        return []


def expected(generations: list[Item], groups: tuple[str, ...]) -> dict[Any, list[int]]:
    """Numbers by the values of the groups, counted one by one."""
    found: dict[Any, list[int]] = {}
    for each in generations:
        values = tuple(each[COLUMNS.get(group, group)] for group in groups)
        so_far = found.setdefault(values, [0, 0, 0])
        for position, name in enumerate(NUMBERS):
            so_far[position] += each[name]
    return found


SUBSETS = [
    groups for size in range(1, len(GROUPS) + 1) for groups in itertools.combinations(GROUPS, size)
]


@given(GENERATIONS, st.sampled_from(SUBSETS))
def test_every_grouping_is_the_sum_of_its_generations(
    generations: list[Item], groups: tuple[str, ...]
) -> None:
    report = UsageReport(Rows(generations), 10).get_usage(  # type: ignore[arg-type]
        CALLER, NOW, {"group_by": ",".join(groups)}
    )
    shown = {
        tuple(row[COLUMNS.get(group, group)] for group in groups): [row[name] for name in NUMBERS]
        for row in report["data"]
    }
    assert len(shown) == len(report["data"])
    assert shown == expected(generations, groups)
    total = [sum(each[name] for each in generations) for name in NUMBERS]
    assert [report["total"][name] for name in NUMBERS] == total


@dataclass
class Shelf(Rows):
    """The same with as many rows as a test says, a plan, and pools."""

    count: int = 0
    terms: Item | None = None
    kept: list[Item] = field(default_factory=list)

    def usage(
        self, org_id: str, first: str, last: str, *, by_end_user: bool, limit: int
    ) -> list[Item]:
        row = {"day": first, "mode": "live", **dict.fromkeys(NUMBERS, 1)}
        return [row] * min(self.count, limit)

    def plan(self, org_id: str) -> Item:
        return {} if self.terms is None else {"terms": self.terms}

    def balances(self, org_id: str, now: int) -> list[Item]:
        return self.kept


def usage(shelf: Shelf, **query: str) -> dict[str, Any]:
    return UsageReport(shelf, 10).get_usage(CALLER, NOW, query)  # type: ignore[arg-type]


def refused(shelf: Shelf, **query: str) -> str:
    """Which part of the query is named."""
    with pytest.raises(Problem) as found:
        usage(shelf, **query)
    assert found.value.code == "validation_failed"
    return found.value.errors[0].location


def test_a_report_covers_one_to_so_many_days() -> None:
    shelf = Shelf([])
    first = date(2026, 1, 1)
    for days in (0, 1, MAX_DAYS - 1):
        end = (first + timedelta(days=days)).isoformat()
        assert usage(shelf, start="2026-01-01", end=end)["end"] == end
    for days in (-1, MAX_DAYS):
        end = (first + timedelta(days=days)).isoformat()
        assert refused(shelf, start="2026-01-01", end=end) == "query.end"


def test_a_report_begins_with_the_month_and_ends_today_unless_it_begins_later() -> None:
    shown = usage(Shelf([]))
    assert (shown["start"], shown["end"]) == ("2027-01-01", "2027-01-15")
    later = usage(Shelf([]), start="2027-02-01")
    assert (later["start"], later["end"]) == ("2027-02-01", "2027-02-01")


@pytest.mark.parametrize(
    "query",
    [{"start": "2026-1-1"}, {"start": "2026-02-30"}, {"end": "20260101"}, {"group_by": "day,x"}],
)
def test_what_is_not_a_date_or_a_group_is_refused_by_name(query: dict[str, str]) -> None:
    assert refused(Shelf([]), **query) == f"query.{next(iter(query))}"


def test_more_rows_than_one_response_holds_are_refused() -> None:
    assert usage(Shelf([], count=MAX_ROWS))["total"]["images"] == MAX_ROWS
    assert refused(Shelf([], count=MAX_ROWS + 1)) == "query.end"


@pytest.mark.parametrize(("terms", "allowance"), [(None, 10), ({"monthly_credits": 4}, 4)])
def test_a_month_that_no_charge_has_opened_is_shown_with_its_whole_allowance(
    terms: Item | None, allowance: int
) -> None:
    ends = int(NOW) + 100
    grant = {"name": balance_name(ends, new_id("crg", NOW)), "amount": 7, "used": 1, "reserved": 2}
    earlier = {"name": balance_name(ends, "2026-12"), "amount": 9, "used": 0, "reserved": 0}
    kept = [{**each, "available": 4} for each in (grant, earlier)]
    shown = usage(Shelf([], terms=terms, kept=kept))["credits"]
    assert (shown["allowance"]["id"], shown["allowance"]["amount"]) == ("2027-01", allowance)
    assert shown["available"] == allowance + 4
    assert [each["available"] for each in shown["grants"]] == [4]


def test_a_month_that_is_opened_is_shown_as_it_is() -> None:
    own = {"name": allowance_name(NOW, "2027-01"), "amount": 10, "used": 3, "reserved": 2}
    shown = usage(Shelf([], kept=[{**own, "available": 5}]))["credits"]
    assert (shown["available"], shown["allowance"]["used"], shown["grants"]) == (5, 3, [])
