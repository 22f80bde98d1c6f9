"""Credits move only where they are, and each movement is made once."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.credits.store import CreditStore, Reservation, Usage, allowance_name
from imagelayer.limits.counters import GuardFailed, TatMemory
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.table import Action, Item, Table, TransactionRefused, transact
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, ORG

MONTH = "2027-01"
NAME = allowance_name(NOW, MONTH)
USAGE = Usage("key_1", None, None, "studio", None, "live", 1, 5)


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("CreditsTable")


@pytest.fixture
def store(client: Any, rows: Table) -> CreditStore:
    made = CreditStore(client, rows, TatMemory())
    made.open_month(ORG, MONTH, NOW, 10, 1)
    return made


def held(number: int, amount: int) -> Reservation:
    return Reservation(ORG, MONTH, f"gen_{number}", {NAME: amount})


def balance(rows: Table) -> tuple[int, int, int, int]:
    found: Item = rows.get(f"ORG#{ORG}", f"BALANCE#{NAME}") or {}
    return found["amount"], found["used"], found["reserved"], found["available"]


def refused(client: Any, actions: list[Action]) -> bool:
    try:
        transact(client, actions)
    except TransactionRefused:
        return True
    return False


def test_a_month_that_is_open_is_not_opened_again(store: CreditStore, rows: Table) -> None:
    store.open_month(ORG, MONTH, NOW, 99, 1)
    assert balance(rows) == (10, 0, 0, 10)


@pytest.mark.promise("quota-org")
def test_a_balance_that_exists_is_not_put_again_when_its_entry_is_gone(
    store: CreditStore, rows: Table
) -> None:
    (entry,) = rows.query(f"ORG#{ORG}", prefix="MOVE#")
    rows.delete(entry["pk"], entry["sk"])
    store.open_month(ORG, MONTH, NOW, 99, 1)
    assert balance(rows) == (10, 0, 0, 10)


@pytest.mark.promise("quota-org")
def test_no_more_is_reserved_than_is_available_and_all_of_that(
    store: CreditStore, rows: Table, client: Any
) -> None:
    assert refused(client, store.reserve(held(1, 11), NOW))
    assert not refused(client, store.reserve(held(1, 10), NOW))
    assert refused(client, store.reserve(held(2, 1), NOW))
    assert balance(rows) == (10, 0, 10, 0)


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("first", ["settle", "release"])
@pytest.mark.parametrize("second", ["settle", "release"])
def test_a_reservation_has_one_outcome(
    store: CreditStore, rows: Table, client: Any, first: str, second: str
) -> None:
    """Others hold as much, so that no balance refuses the second."""
    for number in (1, 2):
        transact(client, store.reserve(held(number, 5), NOW))

    def end(how: str) -> list[Action]:
        if how == "settle":
            return store.settle(held(1, 5), USAGE, NOW)
        return store.release(held(1, 5), NOW)

    assert not refused(client, end(first))
    before = rows.query(f"ORG#{ORG}")
    assert refused(client, end(second))
    assert rows.query(f"ORG#{ORG}") == before


@pytest.mark.promise("quota-org")
def test_no_more_is_settled_or_released_than_is_reserved_and_all_of_that(
    store: CreditStore, rows: Table, client: Any
) -> None:
    transact(client, store.reserve(held(1, 5), NOW))
    before = rows.query(f"ORG#{ORG}")
    assert refused(client, store.settle(held(2, 6), USAGE, NOW))
    assert refused(client, store.release(held(2, 6), NOW))
    assert rows.query(f"ORG#{ORG}") == before
    assert not refused(client, store.settle(held(1, 5), USAGE, NOW))
    assert balance(rows) == (10, 5, 0, 5)
    transact(client, store.reserve(held(3, 5), NOW))
    assert not refused(client, store.release(held(3, 5), NOW))
    assert balance(rows) == (10, 5, 0, 5)


@pytest.mark.promise("quota-org")
def test_a_plan_takes_what_is_available_and_no_more(store: CreditStore, rows: Table) -> None:
    with pytest.raises(TransactionRefused):
        store.set_plan(ORG, {}, {}, {NAME: -11}, NOW)
    assert store.plan(ORG) == {}
    store.set_plan(ORG, {}, {}, {NAME: -10}, NOW)
    assert balance(rows) == (0, 0, 0, 0)


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_plan_is_changed_only_as_it_was_read(store: CreditStore, before: int) -> None:
    for _ in range(before):
        store.set_plan(ORG, store.plan(ORG), {}, {}, NOW)
    read = store.plan(ORG)
    store.set_plan(ORG, read, {"monthly_credits": 5}, {}, NOW)
    with pytest.raises(TransactionRefused):
        store.set_plan(ORG, read, {"monthly_credits": 6}, {}, NOW)
    with pytest.raises(TransactionRefused):
        store.grant(ORG, "crg_1", 5, NOW + 1000, NOW, read)
    with pytest.raises(TransactionRefused):
        store.set_plan_and_open(ORG, read, {"monthly_credits": 6}, 6, NOW + 40 * 86_400)
    assert store.plan(ORG)["terms"] == {"monthly_credits": 5}
    assert store.grant(ORG, "crg_1", 5, NOW + 1000, NOW, store.plan(ORG))


@pytest.mark.promise("limits-fail-closed")
def test_shards_take_over_a_limit_unless_a_call_moved_it_since(
    store: CreditStore, rows: Table
) -> None:
    shard = {"pk": f"ORG#{ORG}", "sk": "PLAN#0", "tat_organization_generations": 5000}
    rows.put(shard)
    read = store.plan_to_change(ORG)
    rows.put({**shard, "tat_organization_generations": 6001})
    with pytest.raises(TransactionRefused):
        store.set_plan(ORG, read, {"shards": 2}, {}, NOW)
    rows.put({**shard, "tat_organization_generations": 6000})
    store.set_plan(ORG, read, {"shards": 2}, {}, NOW)
    tats = [
        each["tat_organization_generations"] for each in rows.query(f"ORG#{ORG}", prefix="PLAN#")
    ]
    assert tats == [6000, 6000]


def test_a_balance_is_marked_once_and_only_while_it_exists(store: CreditStore, rows: Table) -> None:
    assert store.mark_alerted(ORG, NAME, 80)
    assert not store.mark_alerted(ORG, NAME, 80)
    assert store.mark_alerted(ORG, NAME, 100)
    rows.delete(f"ORG#{ORG}", f"BALANCE#{NAME}")
    assert not store.mark_alerted(ORG, NAME, 80)
    assert rows.query(f"ORG#{ORG}", prefix="BALANCE#") == []


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_call_is_counted_only_under_the_plan_that_it_was_read_with(
    store: CreditStore, rows: Table, client: Any, before: int
) -> None:
    for _ in range(before):
        store.set_plan(ORG, store.plan(ORG), {}, {}, NOW)
    rev = store.plan(ORG).get("rev")
    policy = POLICIES["organization-generations"]
    attempt = store.limit_attempt(ORG, 0, policy, NOW * 1000, rev)
    transact(client, [attempt.action()])
    attempt.committed()
    store.set_plan(ORG, store.plan(ORG), {}, {}, NOW)
    again = store.limit_attempt(ORG, 0, policy, NOW * 1000, rev)
    with pytest.raises(TransactionRefused) as refusal:
        transact(client, [again.action()])
    with pytest.raises(GuardFailed):
        again.learn(refusal.value.items[0])
