"""Which balances a request draws from: what runs out first, never more than there is."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.credits.records import Balance
from imagelayer.credits.store import allowance_name, balance_name, pool_of, split, until_of
from imagelayer.credits.wallet import (
    MAX_DRAWS,
    REMEMBER_SECONDS,
    REMEMBERED_ORGANIZATIONS,
    Wallet,
    WalletMemory,
    allowance_of,
    plan_draws,
)
from imagelayer.platform.table import Item

NOW = 1_800_000_000.0  # 2027-01-15
MONTH = "2027-01"


def first(_: int) -> int:
    """The choice of a test that minds which one it is."""
    return 0


def balance(name: str, available: int) -> Balance:
    """A balance as the store reads it."""
    return {"name": name, "amount": available, "used": 0, "reserved": 0, "available": available}


@st.composite
def some_balances(draw: st.DrawFn) -> list[Balance]:
    """Shards of some pools, in no order; each pool ends at a moment around now."""
    found = [
        balance(balance_name(int(NOW) + end, pool, shard), available)
        for pool in ("2027-01", "crg_a", "crg_b", "crg_c")
        for end in [draw(st.integers(-1, 3))]
        for shard, available in enumerate(draw(st.lists(st.integers(0, 12), max_size=4)))
    ]
    return draw(st.permutations(found))


def pools(balances: list[Balance]) -> list[tuple[tuple[int, str], list[Balance]]]:
    """The living pools in the order in which they end, by the numbers and not by their names."""
    living = [each for each in balances if until_of(each["name"]) > NOW and each["available"]]
    living.sort(key=lambda each: (until_of(each["name"]), pool_of(each["name"])))
    grouped = itertools.groupby(
        living, key=lambda each: (until_of(each["name"]), pool_of(each["name"]))
    )
    return [(pool, list(members)) for pool, members in grouped]


@given(balances=some_balances(), amount=st.integers(1, 60), choice=st.integers(0, 100))
def test_draws_are_what_ends_first_to_the_credit_and_no_more_than_there_is(
    balances: list[Balance], amount: int, choice: int
) -> None:
    stood = {each["name"]: each["available"] for each in balances}
    drawn = plan_draws(balances, amount, NOW, lambda n: choice % n)
    in_order = pools(balances)
    total = sum(each["available"] for _, members in in_order for each in members)
    assert (drawn is None) == (total < amount)
    if drawn is None:
        return
    assert sum(drawn.values()) == amount
    assert all(0 < part <= stood[name] for name, part in drawn.items())
    assert all(until_of(name) > NOW for name in drawn)
    missing = amount
    for pool, members in in_order:
        part = min(missing, sum(each["available"] for each in members))
        of_pool = [name for name in drawn if (until_of(name), pool_of(name)) == pool]
        assert sum(drawn[name] for name in of_pool) == part
        # One that has enough is drawn from alone: fewer items in the transaction.
        if part and any(each["available"] >= missing for each in members):
            assert len(of_pool) == 1
        missing -= part


@given(st.integers(0, 10**9), st.integers(1, 32))
def test_a_pool_is_split_into_whole_and_nearly_equal_parts(amount: int, shards: int) -> None:
    parts = split(amount, shards)
    assert (len(parts), sum(parts)) == (shards, amount)
    assert parts == sorted(parts, reverse=True)
    assert max(parts) - min(parts) <= 1


@given(st.lists(st.tuples(st.integers(0, 253_402_300_799), st.integers(0, 31)), min_size=2))
def test_names_sort_as_the_moments_they_end_at(moments: list[tuple[int, int]]) -> None:
    names = [balance_name(until, "2027-01", shard) for until, shard in moments]
    assert [until_of(name) for name in sorted(names)] == sorted(until for until, _ in moments)
    assert {pool_of(name) for name in names} == {"2027-01"}


def test_of_shards_that_have_enough_each_is_chosen_as_often() -> None:
    shards = [balance(allowance_name(NOW, MONTH, shard), 5) for shard in range(4)]
    turns = itertools.count()
    chosen = Counter(
        name
        for _ in range(40)
        for name in plan_draws(shards, 5, NOW, lambda n: next(turns) % n) or {}
    )
    assert sorted(chosen.values()) == [10] * 4


def test_a_balance_is_worth_nothing_from_the_second_it_ends_at() -> None:
    ends = balance(balance_name(int(NOW), "crg_a"), 5)
    assert plan_draws([ends], 1, NOW, first) is None
    assert plan_draws([ends], 1, NOW - 0.001, first) == {ends["name"]: 1}


def test_what_a_transaction_cannot_hold_is_not_there() -> None:
    crumbs = [balance(balance_name(int(NOW) + 1, "crg_a", shard), 1) for shard in range(70)]
    assert len(plan_draws(crumbs, MAX_DRAWS, NOW, first) or {}) == MAX_DRAWS
    assert plan_draws(crumbs, MAX_DRAWS + 1, NOW, first) is None


@pytest.mark.parametrize(
    ("terms", "credits"),
    [({}, 1000), ({"shards": 2}, 1000), ({"monthly_credits": 0}, 0), ({"monthly_credits": 5}, 5)],
)
def test_an_allowance_is_the_plans_also_when_that_is_nothing(
    terms: dict[str, Any], credits: int
) -> None:
    assert allowance_of(terms, 1000) == credits


@dataclass
class Shelf:
    """A store that counts how often it is read."""

    there: list[Balance] = field(default_factory=list)
    terms: dict[str, Any] = field(default_factory=dict)
    reads: int = 0
    opened: list[tuple[str, int, int]] = field(default_factory=list)

    def balances(self, org_id: str, now: int) -> list[Balance]:
        self.reads += 1
        return [each.copy() for each in self.there]

    def plan(self, org_id: str) -> Item:
        return {"rev": 1, "terms": self.terms}

    def open_month(self, org_id: str, month: str, now: int, allowance: int, shards: int) -> None:
        self.opened.append((month, allowance, shards))
        self.there += [
            balance(allowance_name(now, month, shard), part)
            for shard, part in enumerate(split(allowance, shards))
        ]


def wallet_on(shelf: Shelf) -> Wallet:
    """A wallet of ten credits a month."""
    return Wallet(shelf, WalletMemory(), 10, first)  # type: ignore[arg-type]


def test_what_no_one_touched_is_guessed_without_a_read() -> None:
    shelf = Shelf()
    drawn = wallet_on(shelf).draws("org_1", 3, NOW)
    assert drawn == {allowance_name(NOW, MONTH): 3}
    assert (shelf.reads, shelf.opened) == (0, [])


def test_what_was_read_serves_for_half_a_minute_and_less_what_was_taken() -> None:
    shelf = Shelf([balance(allowance_name(NOW, MONTH), 10)])
    wallet = wallet_on(shelf)
    wallet.learn_plan("org_1", {"rev": 1})
    for _ in range(3):
        drawn = wallet.draws("org_1", 3, NOW)
        assert drawn == {allowance_name(NOW, MONTH): 3}
        wallet.taken("org_1", drawn)
    assert shelf.reads == 1
    assert wallet.draws("org_1", 3, NOW) == {allowance_name(NOW, MONTH): 3}
    assert shelf.reads == 2  # one is left by what it knows, and it looks before it refuses
    wallet.draws("org_1", 3, NOW + REMEMBER_SECONDS - 1)
    assert shelf.reads == 2
    wallet.draws("org_1", 3, NOW + REMEMBER_SECONDS)
    assert shelf.reads == 3
    wallet.learn_plan("org_1", {"rev": 2})
    wallet.draws("org_1", 3, NOW + REMEMBER_SECONDS)
    assert shelf.reads == 4


def test_what_is_not_there_is_refused_only_after_a_look() -> None:
    shelf = Shelf([balance(allowance_name(NOW, MONTH), 2)])
    wallet = wallet_on(shelf)
    wallet.learn_plan("org_1", {"rev": 1})
    assert wallet.draws("org_1", 3, NOW) is None
    assert wallet.draws("org_1", 3, NOW) is None
    assert shelf.reads == 2


def test_a_month_no_one_has_used_is_opened_by_the_plan() -> None:
    shelf = Shelf(terms={"monthly_credits": 4, "shards": 2})
    drawn = wallet_on(shelf).read("org_1", 3, NOW)
    assert shelf.opened == [(MONTH, 4, 2)]
    assert drawn == {allowance_name(NOW, MONTH, 0): 2, allowance_name(NOW, MONTH, 1): 1}


def test_organizations_that_called_last_are_remembered_and_so_many() -> None:
    memory = WalletMemory()
    memory.of("org_0").rev = 7
    for number in range(1, REMEMBERED_ORGANIZATIONS):
        memory.of(f"org_{number}")
    assert memory.of("org_0").rev == 7
    memory.of("one more")
    assert len(memory.known) == REMEMBERED_ORGANIZATIONS
    assert memory.of("org_0").rev == 7
    assert memory.known.get("org_1", None) is None


def test_a_plan_that_is_gone_is_learned_as_none() -> None:
    shelf = Shelf([balance(allowance_name(NOW, MONTH), 10)])
    wallet = wallet_on(shelf)
    wallet.learn_plan("org_1", {"rev": 3, "terms": {"shards": 4}})
    assert (wallet.known("org_1").rev, wallet.known("org_1").shards) == (3, 4)
    wallet.draws("org_1", 3, NOW)
    wallet.learn_plan("org_1", None)
    known = wallet.known("org_1")
    assert (known.rev, known.shards, known.balances) == (None, 1, None)


def test_balances_read_last_month_are_read_again_in_this_one() -> None:
    ends = 1_801_440_000  # 2027-02-01
    shelf = Shelf([balance(balance_name(ends + 9, "crg_a"), 10)])
    wallet = wallet_on(shelf)
    wallet.learn_plan("org_1", {"rev": 1})
    wallet.draws("org_1", 1, ends - 2)
    wallet.draws("org_1", 1, ends - 1)
    opened = len(shelf.opened)
    wallet.draws("org_1", 1, ends)
    assert [month for month, *_ in shelf.opened[opened:]] == ["2027-02"]


def test_what_was_taken_from_balances_that_were_never_read_is_not_noted() -> None:
    wallet = wallet_on(Shelf())
    wallet.taken("org_1", {"x": 1})
    assert wallet.known("org_1").balances is None


def test_an_empty_balance_is_never_drawn_from() -> None:
    balances = [
        balance(balance_name(int(NOW) + 9, "crg_a", shard), left)
        for shard, left in enumerate((0, 2, -1))
    ]
    assert plan_draws(balances, 2, NOW, first) == {balances[1]["name"]: 2}
    assert plan_draws(balances, 3, NOW, first) is None
    later = balance(balance_name(int(NOW) + 10, "crg_b"), 9)
    drawn = plan_draws([*balances, later], 5, NOW, first)
    assert drawn == {balances[1]["name"]: 2, later["name"]: 3}
