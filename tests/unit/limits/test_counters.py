"""Counters on a table: what is written, what is remembered, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from imagelayer.limits import counters
from imagelayer.limits.counters import (
    REMEMBER_MS,
    REMEMBERED_SUBJECTS,
    CounterStore,
    Guard,
    GuardFailed,
    Meter,
    RateLimitAttempt,
    TatMemory,
)
from imagelayer.limits.rate_limits import POLICIES, SITE_FACTOR, Limited, Policy
from imagelayer.platform.table import Item, StoreUnavailable, TransactionRefused
from tests.support.rate_limiter_model import START_MS, FakeTable

PUBLIC = POLICIES["public-read"]  # 240 in 60 s, 120 at once: one each 500 ms
SLOW = Policy("slow", quota=4, window=3600, burst=2)  # one each 30 minutes
ADDRESS = "203.0.113.5"
ITEM = ("SECRET#hash", "SECRET")
ENABLED = Guard("attribute_exists(#pk) AND #on = :on", lambda item: item["on"] == 1, {"on": 1})


def store(table: FakeTable) -> CounterStore:
    """A process of its own."""
    return CounterStore(table, TatMemory())


def exhaust(table: FakeTable, policy: Policy) -> None:
    process = store(table)
    for _ in range(policy.burst):
        process.admit(ADDRESS, policy, START_MS)


def only_item(table: FakeTable) -> Item:
    (item,) = table.items.values()
    return item


def test_a_warm_process_writes_once_per_call_and_a_new_one_twice_for_its_first() -> None:
    table = FakeTable()
    warm = store(table)
    for calls in range(1, 5):
        warm.admit(ADDRESS, PUBLIC, START_MS + calls)
        assert table.writes == calls
    store(table).admit(ADDRESS, PUBLIC, START_MS + 5)
    assert table.writes == 6


def test_a_flood_costs_one_write_in_ten_seconds() -> None:
    table = FakeTable()
    exhaust(table, SLOW)
    process, before = store(table), table.writes
    for second in range(60):
        for _ in range(20):
            with pytest.raises(Limited):
                process.admit(ADDRESS, SLOW, START_MS + second * 1000)
    assert table.writes - before == 6


def test_of_very_many_subjects_the_newest_are_remembered() -> None:
    memory = TatMemory()
    for number in range(REMEMBERED_SUBJECTS + 10):
        memory.remember(("LIMIT", str(number), "tat"), START_MS, START_MS)
    assert len(memory.tats_ms) == REMEMBERED_SUBJECTS
    assert memory.recall(("LIMIT", "9", "tat")) is None
    assert memory.recall(("LIMIT", "10", "tat")) == START_MS


def test_what_is_remembered_never_falls_back() -> None:
    memory, subject = TatMemory(), ("LIMIT", "TAT", "tat_slow")
    memory.remember(subject, START_MS + 5, START_MS)
    memory.remember(subject, START_MS + 3, START_MS + 1)
    assert memory.recall(subject) == START_MS + 5


@pytest.mark.parametrize("clock_ms", [REMEMBER_MS - 1, 0])
def test_a_raised_limit_is_refused_from_memory_for_ten_seconds(clock_ms: int) -> None:
    table = FakeTable()
    process = store(table)
    for _ in range(SLOW.burst):
        process.admit(ADDRESS, SLOW, START_MS)
    with pytest.raises(Limited):
        process.admit(ADDRESS, SLOW, START_MS)
    only_item(table)["tat_slow"] = START_MS  # whatever it was that made room
    before = table.writes
    with pytest.raises(Limited):
        process.admit(ADDRESS, SLOW, START_MS + clock_ms)
    assert table.writes == before


@pytest.mark.parametrize("later_ms", [REMEMBER_MS, -1])
def test_memory_that_is_old_or_from_the_future_refuses_no_one(later_ms: int) -> None:
    """A clock that was set back must not keep a subject out for as long as it was ahead."""
    table = FakeTable()
    process = store(table)
    for _ in range(SLOW.burst):
        process.admit(ADDRESS, SLOW, START_MS)
    before = table.writes
    with pytest.raises(Limited):
        process.admit(ADDRESS, SLOW, START_MS + later_ms)
    assert table.writes == before + 1


@pytest.mark.promise("limits-fail-closed")
def test_a_table_that_cannot_answer_admits_no_one_and_counts_nothing() -> None:
    table = FakeTable(down=True)
    with pytest.raises(StoreUnavailable):
        store(table).admit(ADDRESS, PUBLIC, START_MS)
    assert table.items == {}


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("warm", [False, True])
def test_a_call_whose_answer_is_lost_is_counted_twice_and_admitted_once(warm: bool) -> None:
    table = FakeTable()
    process = store(table)
    if warm:
        process.admit(ADDRESS, PUBLIC, START_MS)
    table.losing = 1
    admission = process.admit(ADDRESS, PUBLIC, START_MS)
    assert admission.remaining == PUBLIC.burst - (3 if warm else 2)


@pytest.mark.promise("limits-fail-closed")
def test_a_call_whose_every_answer_is_lost_is_denied_though_it_counts() -> None:
    table = FakeTable()
    process = store(table)
    process.admit(ADDRESS, PUBLIC, START_MS)
    table.losing = 2
    with pytest.raises(StoreUnavailable):
        process.admit(ADDRESS, PUBLIC, START_MS)
    assert only_item(table)["tat_public_read"] == START_MS + 3 * PUBLIC.interval_ms


@pytest.mark.promise("limits-fail-closed")
def test_the_last_call_of_a_burst_whose_answer_is_lost_is_denied() -> None:
    table = FakeTable(losing=1)
    process = store(table)
    policy = Policy("one", quota=2, window=60, burst=1)
    with pytest.raises(Limited):
        process.admit(ADDRESS, policy, START_MS)


def test_a_subject_that_is_set_back_again_and_again_is_denied_in_the_end() -> None:
    """Nothing in the product does so; that it ends is all that matters."""
    table = FakeTable()

    def set_to(tat_ms: int) -> None:
        table.items["LIMIT#public-read#" + ADDRESS, "TAT"] = {"tat_public_read": tat_ms}

    table.between = [partial(set_to, START_MS + (500 if n % 2 == 0 else -1)) for n in range(100)]
    with pytest.raises(StoreUnavailable):
        store(table).admit(ADDRESS, PUBLIC, START_MS)
    assert table.writes == counters.RACE_ATTEMPTS


def test_processes_that_share_nothing_hold_a_network_and_its_site_to_their_limits() -> None:
    policy = Policy("networks", quota=4, window=60, burst=2, site_factor=2)
    table = FakeTable()

    def admitted(network: int) -> bool:
        try:
            store(table).admit(f"2001:db8:1:{network}::/64", policy, START_MS)
        except Limited:
            return False
        return True

    assert [admitted(1) for _ in range(3)] == [True, True, False]
    assert [admitted(network) for network in (2, 3, 4)] == [True, True, False]


def test_a_refused_write_that_finds_no_room_is_denied_at_once() -> None:
    attempt = RateLimitAttempt(Meter(FakeTable(), TatMemory()), *ITEM, SLOW, START_MS)
    attempt.learn({"tat_slow": START_MS + SLOW.tolerance_ms})
    with pytest.raises(Limited):
        attempt.learn({"tat_slow": START_MS + SLOW.tolerance_ms + 1})


@pytest.mark.promise("limits-fail-closed")
def test_a_network_whose_limits_are_always_moved_by_others_is_denied_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = FakeTable()
    tries: list[int] = []

    def refuse(actions: Sequence[object]) -> None:
        tries.append(len(actions))
        raise TransactionRefused([True, False], [None, None])

    monkeypatch.setattr(table, "transact", refuse)
    policy = Policy("networks", quota=4, window=60, burst=2, site_factor=2)
    with pytest.raises(StoreUnavailable):
        store(table).admit("2001:db8:1:2::/64", policy, START_MS)
    assert tries == [2] * counters.RACE_ATTEMPTS


def test_an_item_that_is_gone_starts_from_nothing() -> None:
    table = FakeTable()
    process = store(table)
    for _ in range(3):
        process.admit(ADDRESS, PUBLIC, START_MS)
    table.items.clear()
    admission = process.admit(ADDRESS, PUBLIC, START_MS)
    assert admission.remaining == PUBLIC.burst - 1


def test_a_subject_that_was_set_back_is_met_as_it_stands() -> None:
    table = FakeTable()
    process = store(table)
    for _ in range(PUBLIC.burst):
        process.admit(ADDRESS, PUBLIC, START_MS)
    only_item(table)["tat_public_read"] = START_MS
    admission = process.admit(ADDRESS, PUBLIC, START_MS + REMEMBER_MS)
    assert admission.remaining == PUBLIC.burst - 1


def test_of_processes_that_race_for_the_last_call_one_gets_it() -> None:
    table = FakeTable()
    process = store(table)
    for _ in range(PUBLIC.burst - 1):
        process.admit(ADDRESS, PUBLIC, START_MS)
    outcomes: list[str] = []

    def race() -> None:
        try:
            store(table).admit(ADDRESS, PUBLIC, START_MS)
            outcomes.append("admitted")
        except Limited:
            outcomes.append("denied")

    table.between = [race]
    race()
    assert outcomes == ["admitted", "denied"]


def admit(table: FakeTable, memory: TatMemory, now_ms: int = START_MS) -> Item:
    item, _ = Meter(table, memory).admit(
        *ITEM, SLOW, now_ms, guard=ENABLED, mark=("last_used_at", now_ms)
    )
    return item


def test_the_write_that_admits_checks_the_guard_and_marks_the_item() -> None:
    table = FakeTable({ITEM: {"pk": ITEM[0], "sk": ITEM[1], "on": 1}})
    assert admit(table, TatMemory()) == {
        "pk": ITEM[0],
        "sk": ITEM[1],
        "on": 1,
        "tat_slow": START_MS + SLOW.interval_ms,
        "last_used_at": START_MS,
    }
    assert table.writes == 1


@pytest.mark.parametrize("spent", [False, True])
def test_a_guard_that_does_not_hold_is_reported_before_a_limit_and_writes_nothing(
    spent: bool,
) -> None:
    stands = {"pk": ITEM[0], "sk": ITEM[1], "on": 0, "tat_slow": START_MS + 10**9 * spent}
    table = FakeTable({ITEM: stands})
    with pytest.raises(GuardFailed) as refused:
        admit(table, TatMemory())
    assert refused.value.item == stands
    assert table.items == {ITEM: stands}


def test_an_item_that_must_be_there_and_is_not_is_not_made() -> None:
    table = FakeTable()
    with pytest.raises(GuardFailed) as refused:
        admit(table, TatMemory())
    assert refused.value.item is None
    assert table.items == {}


def test_limits_of_one_item_do_not_count_each_other() -> None:
    table, memory = FakeTable({ITEM: {"pk": ITEM[0], "sk": ITEM[1], "on": 1}}), TatMemory()
    for _ in range(SLOW.burst):
        admit(table, memory)
    with pytest.raises(Limited):
        admit(table, memory)
    _, admission = Meter(table, memory).admit(*ITEM, PUBLIC, START_MS, guard=ENABLED)
    assert admission.remaining == PUBLIC.burst - 1


def turn(process: CounterStore, now_ms: int = START_MS) -> RateLimitAttempt:
    return process.limit_attempt(ADDRESS, SLOW, now_ms)


def test_a_transaction_that_is_refused_for_another_reason_counts_nothing() -> None:
    table = FakeTable()
    process = store(table)
    for _ in range(SLOW.burst + 1):
        with pytest.raises(TransactionRefused):
            table.transact([turn(process).action()], others_hold=False)
    assert table.items == {}
    for _ in range(SLOW.burst):
        mine = turn(process)
        table.transact([mine.action()])
        mine.committed()
    with pytest.raises(Limited):
        turn(process).action()  # known without asking the table


def test_a_turn_that_was_overtaken_learns_what_is_stored() -> None:
    table = FakeTable()
    process, other = store(table), store(table)
    mine = turn(process)
    action = mine.action()
    other.admit(ADDRESS, SLOW, START_MS)
    with pytest.raises(TransactionRefused) as refused:
        table.transact([action])
    mine.learn(refused.value.items[0])
    table.transact([mine.action()])
    mine.committed()
    assert only_item(table)["tat_slow"] == START_MS + 2 * SLOW.interval_ms


def test_guesses_are_counted_by_the_table_alone_and_a_right_one_takes_them_back() -> None:
    table = FakeTable()
    here, there = store(table), store(table)
    for _ in range(SLOW.burst):
        here.record_attempt("ada", SLOW, START_MS)
    for process in (here, there):
        with pytest.raises(Limited):
            process.record_attempt("ada", SLOW, START_MS)
    there.reset_attempts("ada", SLOW)
    here.record_attempt("ada", SLOW, START_MS)  # at once, in the process that was refused


def test_forgiving_where_nothing_was_guessed_makes_no_item() -> None:
    table = FakeTable()
    store(table).reset_attempts("ada", SLOW)
    assert table.items == {}


def take(table: FakeTable, day: str = "2026-11-25") -> bool:
    return store(table).take("registrations", ADDRESS, day, limit=3, expires_at=1)


def test_of_racing_callers_exactly_as_many_take_as_there_are() -> None:
    table = FakeTable()
    taken: list[bool] = []
    table.between = [lambda: taken.append(take(table))] * 4
    taken += [take(table) for _ in range(4)]
    assert sorted(taken) == [False] * 5 + [True] * 3
    assert only_item(table)["taken"] == 3


def test_another_day_has_its_own_allowance() -> None:
    table = FakeTable()
    assert [take(table) for _ in range(4)] == [True, True, True, False]
    assert take(table, "2026-11-26")


def test_an_allowance_whose_answer_is_lost_is_taken_twice_at_most() -> None:
    table = FakeTable(losing=1)
    assert take(table)
    assert only_item(table)["taken"] == 2
    table.losing = 1
    assert not take(table)  # the third was taken by the lost attempt: it errs towards refusing


def bind(table: FakeTable, subject: str, now: int = 0) -> bool:
    return store(table).bind("captcha", "token", subject, expires_at=600, now=now)


def test_a_token_belongs_to_the_first_who_brings_it_until_it_ends() -> None:
    table = FakeTable()
    assert bind(table, "ada")
    assert not bind(table, "eve")
    assert bind(table, "ada")
    assert bind(table, "eve", now=600)


COUNTED = [POLICIES[name] for name in ("login-account", "second-factor", "password-check")]


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("policy", [*COUNTED, SLOW], ids=lambda policy: policy.name)
@pytest.mark.parametrize("how", ["attempt", "call", "call in a transaction"])
def test_a_count_outlives_the_time_for_which_it_can_deny(policy: Policy, how: str) -> None:
    """An item that DynamoDB removes earlier would forgive failed guesses."""
    table = FakeTable()
    for number in range(policy.burst):
        now_ms = START_MS + 1000 * number
        if how == "attempt":
            store(table).record_attempt(ADDRESS, policy, now_ms)
        elif how == "call":
            store(table).admit(ADDRESS, policy, now_ms)
        else:
            attempt = store(table).limit_attempt(ADDRESS, policy, now_ms)
            try:
                table.transact([attempt.action()])
            except TransactionRefused as refusal:
                attempt.learn(refusal.items[0])
                table.transact([attempt.action()])
        item = only_item(table)
        assert item["expires_at"] == now_ms // 1000 + 2 * policy.window
        (tat_ms,) = [item[name] for name in item if name.startswith("tat_")]
        assert item["expires_at"] > tat_ms / 1000


def test_a_transaction_takes_all_it_needs_of_an_allowance_or_nothing() -> None:
    table = FakeTable()

    def taken(amount: int) -> bool:
        action = store(table).take_action(
            "images", "org", "2026-11-25", amount=amount, limit=5, expires_at=1
        )
        try:
            table.transact([action])
        except TransactionRefused:
            return False
        return True

    assert [taken(amount) for amount in (3, 3, 2, 1)] == [True, False, True, False]
    assert only_item(table)["taken"] == 5


def test_an_ipv6_network_takes_from_its_own_allowance_and_its_sites_or_from_neither() -> None:
    table = FakeTable()

    def taken(network: int) -> bool:
        subject = f"2001:db8:1:{network:x}::/64"
        return store(table).take("registrations", subject, "2026-11-25", limit=2, expires_at=1)

    assert [taken(0) for _ in range(3)] == [True, True, False]
    rest = [taken(network) for network in range(1, SITE_FACTOR + 1) for _ in range(2)]
    assert rest == [True] * (2 * SITE_FACTOR - 2) + [False] * 2
    counts = sorted(item["taken"] for item in table.items.values())
    assert counts == [2] * SITE_FACTOR + [2 * SITE_FACTOR]


def test_a_call_in_the_very_millisecond_at_which_a_limit_is_idle_again_is_admitted() -> None:
    table = FakeTable()
    store(table).admit(ADDRESS, PUBLIC, START_MS)
    admission = store(table).admit(ADDRESS, PUBLIC, START_MS + PUBLIC.interval_ms)
    assert admission.remaining == PUBLIC.burst - 1
    assert table.writes == 2
