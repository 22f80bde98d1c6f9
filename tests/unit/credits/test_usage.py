"""However usage is grouped, it adds up to the same."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from imagelayer.credits.usage import GROUPS, UsageReport
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
