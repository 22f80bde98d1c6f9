"""The limiter beside a reference model: several processes on one table, call by call.

The model decides each call from what the table has admitted so far. The real stores decide it from
what a process remembers, a guess, and one conditional write. Both must say the same, always:

- whatever processes do between two attempts of a call, and however wrong their clocks are: time
  passes only in so far as the caller's own clock says so;
- however limits are changed, credentials disabled, and memory lost.

Two things are allowed, both towards refusing. A process that does not know yet that a limit was
changed may refuse from memory for `REMEMBER_MS`. A write whose answer was lost counts.

In true time, a window of W seconds admits what the policy admits in W plus the largest difference
between two clocks; by the clocks themselves, never more than the quota.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from imagelayer.access.key_store import NO_TERMS, KeyStore, state_hash
from imagelayer.credits.store import CreditStore
from imagelayer.limits.counters import (
    REMEMBER_MS,
    CounterStore,
    Guard,
    GuardFailed,
    Meter,
    Subject,
    TatMemory,
)
from imagelayer.limits.rate_limits import (
    POLICIES,
    Admission,
    Branch,
    Limited,
    Policy,
    branch,
    denial,
)
from imagelayer.platform.table import Item, StoreUnavailable, TransactionRefused
from tests.support.rate_limiter_model import (
    START_MS,
    Bucket,
    FakeTable,
    arrivals,
    busiest_window,
    excess_ms,
    interval_of,
)

ORG, HASH, ADDRESS = "org", "hash", "203.0.113.5"
KEY, PLAN = ("SECRET#hash", "SECRET"), ("ORG#org", "PLAN#0")
# Names of real limits, so that terms can override them; small numbers, so that they are met.
READ, WRITE, WHOLE, STRANGERS = (
    Policy("key-read", quota=7, window=2, burst=4),
    Policy("key-write", quota=3, window=1, burst=2),
    Policy("organization-generations", quota=6, window=2, burst=3),
    Policy("public-read", quota=4, window=1, burst=2),
)
MAX_SKEW_MS = 300
MAX_DELAY_MS = 3 * 50

Move = tuple[Any, ...]
numbers = st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 2, 3, 60]))
calls = st.tuples(
    st.sampled_from(["read", "write", "whole", "whole, refused otherwise", "stranger"]),
    st.integers(0, 2),
)
moves = st.one_of(
    calls,
    st.tuples(st.just("wait"), st.integers(0, MAX_DELAY_MS // 3)),
    st.tuples(st.just("key terms"), st.none() | numbers),
    st.tuples(st.just("plan terms"), st.none() | numbers),
    st.tuples(st.just("disable"), st.booleans()),
)


@dataclass
class Process:
    """A warm process: what it remembers, what it believes of the plan, and its clock."""

    table: FakeTable
    memory: TatMemory
    skew_ms: int
    rev: int | None = None
    whole: Policy = WHOLE
    seen_ms: dict[str, int] = field(default_factory=dict)  # when a table last told it of a limit

    def __post_init__(self) -> None:
        self.keys = KeyStore(None, self.table, self.memory)
        self.counters = CounterStore(self.table, self.memory)
        self.credits = CreditStore(None, self.table, self.memory)


class Limiter(RuleBasedStateMachine):
    """Three processes call; the model is asked at the moment at which each call is decided."""

    memory: ClassVar[type[TatMemory]] = TatMemory
    meter: ClassVar[type[Meter]] = Meter

    @initialize(skews=st.tuples(st.just(0), st.sampled_from([0, 1]), st.integers(0, MAX_SKEW_MS)))
    def start(self, skews: tuple[int, ...]) -> None:
        self.table = FakeTable()
        self.clock_ms = START_MS
        self.processes = [Process(self.table, self.memory(), skew) for skew in skews]
        for process in self.processes:
            for store in (process.keys, process.counters, process.credits):
                store._meter = self.meter(self.table, process.memory)
        self.buckets = {name: Bucket() for name in ("read", "write", "whole", "stranger")}
        self.admitted: dict[str, list[tuple[int, Policy]]] = {name: [] for name in self.buckets}
        self.strangers_ms: list[int] = []  # in true time
        self.told_ms = 0
        self._set_key(terms=None, disabled=False)

    @rule(
        call=calls, meanwhile=st.lists(moves, max_size=3), losing=st.sampled_from([0, 0, 0, 1, 2])
    )
    def call(self, call: Move, meanwhile: list[Move], losing: int) -> None:
        # A process does one thing at a time: what happens in between is done by the others.
        self.table.between = [partial(self._do, move) for move in meanwhile if move[1:] != call[1:]]
        self.table.losing = 0 if call[0].startswith("whole") else losing
        self._do(call)
        self.table.between, self.table.losing = [], 0

    @rule(milliseconds=st.sampled_from([1, 200, 1000, 3000, REMEMBER_MS]))
    def wait(self, milliseconds: int) -> None:
        self.clock_ms += milliseconds

    @rule(early=st.integers(0, 1))
    def wait_as_told(self, early: int) -> None:
        """Until the moment that the last refusal named, or the millisecond before it."""
        self.clock_ms += max(0, self.told_ms - early)
        self.told_ms = 0

    @rule(move=moves.filter(lambda move: move[0] in ("key terms", "plan terms", "disable")))
    def change(self, move: Move) -> None:
        self._do(move)

    @rule(which=st.integers(0, 2))
    def forget(self, which: int) -> None:
        """The process dies; another takes its place, and knows nothing."""
        old = self.processes[which]
        new = Process(self.table, self.memory(), old.skew_ms)
        for store in (new.keys, new.counters, new.credits):
            store._meter = self.meter(self.table, new.memory)
        self.processes[which] = new

    @rule()
    def purge(self) -> None:
        """DynamoDB deletes what has run out."""
        gone = [
            key
            for key, item in self.table.items.items()
            if item.get("expires_at", self.clock_ms) * 1000 <= self.clock_ms
        ]
        for key in gone:
            del self.table.items[key]

    def teardown(self) -> None:
        if not hasattr(self, "table"):
            return
        for admitted in self.admitted.values():
            assert excess_ms(admitted) == 0
        clocks = [now_ms for now_ms, _ in self.admitted["stranger"]]
        window_ms = STRANGERS.window * 1000
        assert busiest_window(clocks, window_ms) <= STRANGERS.quota
        apart = MAX_SKEW_MS + MAX_DELAY_MS
        bound = STRANGERS.burst + (window_ms + apart) // interval_of(STRANGERS)
        assert busiest_window(self.strangers_ms, window_ms) <= bound

    def _do(self, move: Move) -> None:
        match move:
            case "wait", milliseconds:
                self.clock_ms += milliseconds
            case "disable", disabled:
                self._set_key(self.table.items[KEY].get("terms"), disabled)
            case "key terms", override:
                limits = {
                    READ.name: _policy(READ.name, override or (3, 4, 2)),
                    WRITE.name: _policy(WRITE.name, override or (1, 2, 1)),
                }
                disabled = "disabled" in self.table.items[KEY]
                self._set_key({"limits": limits} if override else None, disabled)
            case "plan terms", override:
                plan = self.table.items.get(PLAN, {"pk": PLAN[0], "sk": PLAN[1]})
                limits = {WHOLE.name: _policy(WHOLE.name, override)} if override else {}
                self.table.items[PLAN] = plan | {
                    "rev": plan.get("rev", 0) + 1,
                    "terms": {"limits": limits},
                }
            case str(kind), int(which):
                self._call(kind, self.processes[which])
            case _:
                raise AssertionError(move)

    def _set_key(self, terms: Item | None, disabled: bool) -> None:
        tats = {
            name: value
            for name, value in self.table.items.get(KEY, {}).items()
            if name.startswith("tat_")
        }
        key: Item = {"pk": KEY[0], "sk": KEY[1], "valid_until": 0, **tats}
        key["state_hash"] = state_hash(0, disabled=disabled, terms=terms)
        self.table.items[KEY] = (
            key | ({"terms": terms} if terms else {}) | ({"disabled": True} if disabled else {})
        )

    def _call(self, kind: str, process: Process) -> None:
        true_ms, name = self.clock_ms, kind.partition(",")[0]
        now = (true_ms + process.skew_ms) / 1000
        now_ms = int(now * 1000)
        believed = self._believed(name, process)
        writes = self.table.writes
        losing = self.table.losing
        # A write whose answer is lost has counted, and the model counts it at that moment.
        self.table.lost = lambda: self._count(name, now_ms)
        outcome: Admission | None
        try:
            if name == "stranger":
                outcome = process.counters.admit(ADDRESS, STRANGERS, now_ms)
            elif name == "whole":
                outcome = self._transact(process, now_ms, others_hold=kind == "whole")
            else:
                item, outcome = process.keys.admit(HASH, READ if name == "read" else WRITE, now)
                assert item["last_used_at"] == int(now)
        except Limited as limited:
            self.told_ms = limited.retry_ms
            self._denied(name, process, now_ms, believed, limited, asked=self.table.writes > writes)
        except GuardFailed:
            assert "disabled" in self.table.items[KEY]
        except StoreUnavailable:
            assert kind == "whole, refused otherwise" or losing == 2, "no answer"
        else:
            self._count(name, now_ms, outcome)
            if name == "stranger":
                self.strangers_ms.append(true_ms)
        if self.table.writes > writes:
            process.seen_ms[name] = now_ms
        if name == "stranger" and not losing:
            assert self.table.writes <= writes + 2, "tried more often than a TAT can change sides"

    def _transact(self, process: Process, now_ms: int, *, others_hold: bool) -> Admission | None:
        """One turn in a transaction, tried again as an acceptance does."""
        for _ in range(8):
            turn = process.credits.limit_attempt(ORG, 0, process.whole, now_ms, process.rev)
            try:
                self.table.transact([turn.action()], others_hold=others_hold)
            except TransactionRefused as refusal:
                if not refusal.refused[0]:
                    raise StoreUnavailable("transact_write_items", "refused otherwise") from None
                try:
                    turn.learn(refusal.items[0])
                except GuardFailed as failure:
                    plan = failure.item or {}
                    process.rev = plan.get("rev")
                    process.whole = WHOLE.under(plan.get("terms") or {})
                continue
            turn.committed()
            return None
        raise AssertionError("too contended")

    def _count(self, name: str, now_ms: int, said: Admission | None = None) -> None:
        """The table has admitted a call: so must the model, under the policy that is in force."""
        policy, bucket = self._in_force(name), self.buckets[name]
        disabled = name in ("read", "write") and "disabled" in self.table.items[KEY]
        assert not disabled, "admitted a disabled key"
        assert said is None or said.policy == policy, "admitted by a limit of before"
        assert bucket.offer(policy, now_ms), "admitted too much"
        assert said is None or said.reset_ms == bucket.level_ms, "counted otherwise"
        self.admitted[name].append((now_ms, policy))

    def _denied(
        self,
        name: str,
        process: Process,
        now_ms: int,
        believed: Policy,
        limited: Limited,
        *,
        asked: bool,
    ) -> None:
        policy = self._in_force(name)
        if not self.buckets[name].fits(policy, now_ms):
            # No caller waits too long; one who was refused by the table gets the exact time.
            if limited.policy == policy:
                assert not self.buckets[name].fits(policy, now_ms + limited.retry_ms - 1)
            if name == "stranger" and asked:
                assert self.buckets[name].fits(policy, now_ms + limited.retry_ms)
            return
        assert not asked, "refused too much"
        assert believed != policy, "refused too much"
        assert now_ms - process.seen_ms[name] < REMEMBER_MS, "refused from memory for too long"

    def _in_force(self, name: str) -> Policy:
        if name == "stranger":
            return STRANGERS
        if name == "whole":
            return WHOLE.under(self.table.items.get(PLAN, {}).get("terms") or {})
        terms = self.table.items[KEY].get("terms") or {}
        return (READ if name == "read" else WRITE).under(terms)

    @staticmethod
    def _believed(name: str, process: Process) -> Policy:
        if name == "stranger":
            return STRANGERS
        if name == "whole":
            return process.whole
        return (READ if name == "read" else WRITE).under(process.keys._terms.get(HASH, NO_TERMS))


def _policy(name: str, override: tuple[int, int, int]) -> dict[str, int]:
    burst, trickle, window = override
    return {"quota": burst + trickle, "window": window, "burst": burst}


SETTINGS = settings(
    max_examples=150, stateful_step_count=40, derandomize=True, deadline=None, database=None
)


@pytest.mark.promise("limits-fail-closed")
def test_the_limiter_decides_every_call_as_the_model_does() -> None:
    run_state_machine_as_test(Limiter, settings=SETTINGS)


class ForEver(TatMemory):
    """Goes on refusing with what it saw once, whatever the time is."""

    def denies(self, subject: Subject, policy: Policy, now_ms: int) -> bool:
        tat_ms, seen_ms = self.tats_ms.get(subject, (None, 0))
        return branch(policy, tat_ms, seen_ms) is Branch.DENIED


class ReadThenWrite(Meter):
    """Looks, decides, and writes what it decided."""

    def admit(
        self,
        pk: str,
        sk: str,
        policy: Policy,
        now_ms: int,
        *,
        guard: Guard | None = None,
        mark: tuple[str, int] | None = None,
    ) -> tuple[Item, Admission]:
        name = f"tat_{policy.name.replace('-', '_')}"
        item = self.table.get(pk, sk) or {}
        if guard is not None and not guard.holds(item):
            raise GuardFailed(item)
        tat = item.get(name)
        if tat is not None and branch(policy, tat, now_ms) is Branch.DENIED:
            raise denial(policy, tat, now_ms)
        assert mark
        after = self.table.update(
            pk,
            sk,
            f"SET #{name} = :next, #{mark[0]} = :mark",
            next=max(now_ms, tat or 0) + policy.interval_ms,
            mark=mark[1],
        )
        return after, Admission.after(policy, after[name], now_ms)


class Unguarded(Meter):
    """Forgets the credential in its condition."""

    def admit(self, *args: Any, guard: Guard | None = None, **named: Any) -> Any:
        return super().admit(*args, **named)


@pytest.mark.parametrize(
    ("part", "wrong", "found"),
    [
        ("memory", ForEver, "refused too much|refused from memory"),
        ("meter", ReadThenWrite, "admitted|counted otherwise"),
        ("meter", Unguarded, "admitted"),
    ],
)
def test_a_limiter_that_is_wrong_is_found(part: str, wrong: type, found: str) -> None:
    broken = type("Broken", (Limiter,), {part: wrong})
    finding = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=found):
        run_state_machine_as_test(broken, settings=finding)


CALLS = 10_000


def admitted_by_stores(policy: Policy, times: list[int], memory: type[TatMemory]) -> list[int]:
    """When calls were let in, each by another of three processes."""
    table = FakeTable()
    processes = [CounterStore(table, memory()) for _ in range(3)]
    admitted = []
    for number, now_ms in enumerate(times):
        try:
            processes[number % 3].admit(ADDRESS, policy, now_ms)
        except Limited:
            continue
        admitted.append(now_ms)
    return admitted


def admitted_by_model(policy: Policy, times: list[int]) -> list[int]:
    bucket = Bucket()
    return [now_ms for now_ms in times if bucket.offer(policy, now_ms)]


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_over_a_long_schedule_every_limit_admits_what_it_should_and_no_window_more(
    policy: Policy,
) -> None:
    times = arrivals(policy, CALLS)
    admitted = admitted_by_stores(policy, times, TatMemory)
    assert admitted == admitted_by_model(policy, times)
    assert busiest_window(admitted, policy.window * 1000) <= policy.quota


def test_a_memory_that_goes_on_refusing_admits_less_than_the_model() -> None:
    policy = POLICIES["generation-create"]
    times = arrivals(policy, CALLS)
    admitted = admitted_by_stores(policy, times, ForEver)
    assert len(admitted) < len(admitted_by_model(policy, times))


def test_a_counter_by_the_clock_s_minutes_admits_more_than_the_quota_across_their_edge() -> None:
    policy = POLICIES["generation-create"]
    taken: dict[int, int] = {}
    admitted = []
    for now_ms in arrivals(policy, CALLS):
        minute = now_ms // 60_000
        if taken.get(minute, 0) < policy.quota:
            taken[minute] = taken.get(minute, 0) + 1
            admitted.append(now_ms)
    assert busiest_window(admitted, policy.window * 1000) > policy.quota
