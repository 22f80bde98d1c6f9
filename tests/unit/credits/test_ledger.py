"""What an operator may override, and what an audit takes for a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.credits.ledger import audit
from imagelayer.credits.pools import pools_of
from imagelayer.credits.store import KEPT_SECONDS, balance_name
from imagelayer.operations.plans import OVERRIDABLE
from imagelayer.platform.table import Item
from imagelayer.routes import ROUTES

END = 1_800_000_000
NAME = balance_name(END, "crg_a")
NUMBERS = ("amount", "used", "reserved", "available")


def test_limits_that_count_api_keys_can_be_overridden_and_the_organizations_own() -> None:
    counted_per_key = {
        each.policy.name for each in ROUTES.values() if each.auth in ("key", "user_or_key")
    }
    dashboard_only = {"key-read", "key-write"}
    assert counted_per_key | dashboard_only | {"organization-generations"} == OVERRIDABLE


@dataclass
class Ledger:
    """Movements and the balances they came to."""

    entries: list[Item]
    there: list[Item]

    def movements(self, org_id: str) -> list[Item]:
        return self.entries

    def all_balances(self, org_id: str) -> list[Item]:
        return self.there


def entry(kind: str, amount: int) -> Item:
    """A movement of the one balance."""
    return {"kind": kind, "amounts": {NAME: amount}}


# An amount that is given, then how each of some generations ends.
STORIES = st.tuples(
    st.integers(0, 100),
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["", "settle", "release"])), max_size=6),
)


def told(given_amount: int, generations: list[tuple[int, str]]) -> Ledger:
    """A ledger and the balance that it must come to."""
    entries = [entry("allowance", given_amount)]
    for amount, end in generations:
        entries += [entry("reserve", amount)] + ([entry(end, amount)] if end else [])
    used = sum(amount for amount, end in generations if end == "settle")
    reserved = sum(amount for amount, end in generations if not end)
    values = (given_amount, used, reserved, given_amount - used - reserved)
    return Ledger(entries, [{"name": NAME, **dict(zip(NUMBERS, values, strict=True))}])


def wrong(ledger: Ledger, now: float = END) -> list[str]:
    """What an audit finds."""
    return audit(ledger, "org_1", now)  # type: ignore[arg-type]


@given(STORIES)
def test_a_ledger_that_adds_up_is_balanced(story: tuple[int, list[tuple[int, str]]]) -> None:
    assert wrong(told(*story)) == []


@given(STORIES, st.sampled_from(NUMBERS), st.integers(-5, 5).filter(bool))
def test_a_number_that_is_off_is_found(
    story: tuple[int, list[tuple[int, str]]], number: str, off: int
) -> None:
    ledger = told(*story)
    ledger.there[0][number] += off
    assert wrong(ledger) == [NAME]


CHANGES: dict[str, Callable[[list[Item], int], object]] = {
    "gone": lambda entries, at: entries.pop(at),
    "twice": lambda entries, at: entries.append(entries[at]),
    "other": lambda entries, at: entries[at].update(amounts={NAME: 1000}),
}


@given(STORIES, st.sampled_from(sorted(CHANGES)), st.integers(0, 12))
def test_an_entry_that_is_gone_comes_twice_or_says_otherwise_is_found(
    story: tuple[int, list[tuple[int, str]]], change: str, at: int
) -> None:
    given_amount, generations = story
    ledger = told(given_amount + 1, generations)  # no entry is of nothing
    CHANGES[change](ledger.entries, at % len(ledger.entries))
    assert wrong(ledger) == [NAME]


@pytest.mark.parametrize(("seconds", "found"), [(-1, [NAME]), (0, []), (1, [])])
def test_a_balance_that_is_gone_is_a_fault_until_it_may_be_purged(
    seconds: int, found: list[str]
) -> None:
    ledger = told(5, [(2, "settle")])
    ledger.there.clear()
    assert wrong(ledger, END + KEPT_SECONDS + seconds) == found


def test_shards_are_shown_as_one_pool_and_pools_in_the_order_they_end() -> None:
    balances: Any = [
        {"name": balance_name(END, pool, shard), **dict.fromkeys(NUMBERS, shard + 1)}
        for pool, shard in (("2027-01", 0), ("2027-01", 1), ("crg_a", 0))
    ]
    shown = pools_of(balances)
    ends = {"expires_at": "2027-01-15T08:00:00Z"}
    assert shown == [
        {"id": "2027-01", **ends, **dict.fromkeys(NUMBERS, 3)},
        {"id": "crg_a", **ends, **dict.fromkeys(NUMBERS, 1)},
    ]
