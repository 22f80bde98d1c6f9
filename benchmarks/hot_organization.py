"""One very busy organization, simulated: what its counters sustain by number of shards, whether
they ever admit too much, and what splitting a limit costs.

A discrete-event simulation, seeded, of nothing but the items that all requests of one organization
write. It runs the product's own arithmetic, choice of balances, and constants of retrying. What it
assumes of DynamoDB stands in the constants below; docs/scaling.md says where each is from.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import quantiles
from typing import Any

from imagelayer.credits.store import allowance_name, split
from imagelayer.credits.wallet import plan_draws
from imagelayer.limits.rate_limits import Branch, Policy, advance, branch
from imagelayer.platform.aws_calls import (
    ATTEMPTS,
    CONFLICT_ATTEMPTS,
    CONFLICT_PAUSE_SECONDS,
    RETRY_PAUSE_SECONDS,
)
from imagelayer.platform.times import utc_month

SHARDS = (1, 2, 4, 8, 16, 32)
# Of one item, and of one partition (DynamoDB developer guide, "bp-partition-key-design").
UNITS_PER_SECOND = 1000
# Of an item below 1 KB in a transaction, canceled ones included (ibid., "transaction-apis").
UNITS = 2
# Assumed, because DynamoDB promises neither: how long a transaction keeps others off its items, and
# the way there and back.
HOLD_SECONDS = 0.005
TRIP_SECONDS = 0.004
# Until units that were saved up are spent, and settling has begun: what comes before is not told.
WARM_SECONDS = 3.0
RATES = (25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1250, 1500, 2000)
WORK_SECONDS = (1.0, 2.0)  # from accepting to settling
PROCESSES = 50  # warm functions, each with its own memory of the balances
NOW = 1_800_000_000.0

Steps = Generator[float, None, str]


@dataclass
class Item:
    """An item or a partition: units that come back each second, and its holder."""

    units: float = UNITS_PER_SECOND
    refilled: float = 0.0
    held_until: float = 0.0
    available: int = 0
    tat_ms: int | None = None

    def spend(self, now: float, units: int) -> bool:
        """Take units, or be throttled."""
        back = (now - self.refilled) * UNITS_PER_SECOND
        self.units, self.refilled = min(UNITS_PER_SECOND, self.units + back), now
        if self.units < units:
            return False
        self.units -= units
        return True


@dataclass
class Clock:
    """Runs what is going on at once, each until it waits for something."""

    now: float = 0.0
    waiting: list[tuple[float, int, Steps]] = field(default_factory=list)
    order: itertools.count[int] = field(default_factory=itertools.count)

    def start(self, at: float, steps: Steps) -> None:
        """Begin something at a moment."""
        heapq.heappush(self.waiting, (at, next(self.order), steps))

    def run(self) -> None:
        """Until nothing is going on any more."""
        while self.waiting:
            self.now, _, steps = heapq.heappop(self.waiting)
            try:
                self.start(self.now + next(steps), steps)
            except StopIteration:
                continue


@dataclass
class Organization:
    """Its hot items, and the outcomes of its requests."""

    shards: int
    policy: Policy
    credits: int
    draw: Random
    ledger: bool = False  # whether the newest movements all stand in one partition
    one_brand: bool = False  # whether all requests are for one brand, which each checks
    careless: bool = False  # the control: read, decide, then write
    hold_seconds: float = HOLD_SECONDS
    warm_seconds: float = WARM_SECONDS
    clock: Clock = field(default_factory=Clock)
    counted: Counter[str] = field(default_factory=Counter)
    admitted_ms: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # how long accepted requests took

    def __post_init__(self) -> None:
        self.part = self.policy.share(self.shards)
        self.plans = [Item() for _ in range(self.policy.parts(self.shards))]
        names = [allowance_name(NOW, utc_month(NOW), shard) for shard in range(self.shards)]
        parts = split(self.credits, self.shards)
        self.balances = {
            name: Item(available=part) for name, part in zip(names, parts, strict=True)
        }
        self.usage = {name: Item() for name in names}
        self.movements, self.brand = Item(), Item()
        self.known = [self._read() for _ in range(PROCESSES)]

    def flood(self, rate: int, seconds: float) -> None:
        """Requests at random moments, `rate` a second, for so long after it is warm."""
        at = 0.0
        while (at := at + self.draw.expovariate(rate)) < self.warm_seconds + seconds:
            self.clock.start(at, self._request())
        self.clock.run()

    @property
    def accepted(self) -> int:
        """How many requests were accepted."""
        return self.counted["accepted"]

    def share(self, *outcomes: str) -> float:
        """The share of requests that ended so."""
        ended = sum(self.counted[each] for each in outcomes)
        return ended / max(1, sum(self.counted[each] for each in OUTCOMES))

    def _request(self) -> Steps:
        began, process = self.clock.now, self.draw.randrange(PROCESSES)
        outcome, now_ms, name = "short", 0, ""
        for _ in range(12):  # acceptance.ATTEMPTS
            now_ms = int(self.clock.now * 1000)
            plan = self.plans[self.draw.randrange(len(self.plans))]
            draws = plan_draws(self.known[process], 1, NOW, self.draw.randrange)
            if draws is None:
                self.known[process] = self._read()
                draws = plan_draws(self.known[process], 1, NOW, self.draw.randrange)
            if draws is None:
                outcome = "out of credits"
                break
            (name,) = draws
            if self.careless:
                outcome = yield from self._carelessly(plan, self.balances[name], now_ms)
            else:
                outcome = yield from self._transact(
                    [plan, self.balances[name], *([self.brand] if self.one_brand else [])],
                    self._accepting(plan, name, now_ms),
                )
            if outcome != "short":
                break
            self.known[process] = self._read()
        if began >= self.warm_seconds:
            self.counted[outcome] += 1
        if outcome == "accepted":
            if began >= self.warm_seconds:
                self.admitted_ms.append(now_ms)
                self.seconds.append(self.clock.now - began)
            yield self.draw.uniform(*WORK_SECONDS)
            settled = yield from self._transact(
                [self.balances[name], self.usage[name]], lambda: "settled"
            )
            if settled != "settled" and began >= self.warm_seconds:
                self.counted["settled later"] += 1
        return ""

    def _accepting(self, plan: Item, name: str, now_ms: int) -> Callable[[], str]:
        """Both conditions and both changes, at the moment the transaction holds its items."""

        def accept() -> str:
            balance = self.balances[name]
            if branch(self.part, plan.tat_ms, now_ms) is Branch.DENIED:
                return "limited"
            if balance.available < 1:
                return "short"
            plan.tat_ms = advance(self.part, plan.tat_ms, now_ms)
            balance.available -= 1
            return "accepted"

        return accept

    def _transact(
        self, items: Sequence[Item], act: Callable[[], str]
    ) -> Generator[float, None, str]:
        """As `stores.table.transact` does it."""
        outcome = ""
        for attempt in range(CONFLICT_ATTEMPTS):
            for _ in range(ATTEMPTS):
                yield TRIP_SECONDS / 2
                outcome = self._try(items, act)
                yield TRIP_SECONDS / 2 + (self.hold_seconds if outcome not in FAULTS else 0)
                if outcome != "throttled":
                    break
                yield self.draw.uniform(0, RETRY_PAUSE_SECONDS)
            if outcome != "collided":
                return outcome
            if self.clock.now >= self.warm_seconds:
                self.counted["collisions"] += 1
            yield self.draw.uniform(0, CONFLICT_PAUSE_SECONDS * 2**attempt)
        return "contended"

    def _try(self, items: Sequence[Item], act: Callable[[], str]) -> str:
        now = self.clock.now
        touched = [*items, self.movements] if self.ledger else items
        # Every item is charged, also when another one has none left.
        spent = [item.spend(now, UNITS) for item in touched]
        if not all(spent):
            return "throttled"
        if any(item.held_until > now for item in items):
            return "collided"
        for item in items:
            item.held_until = now + self.hold_seconds
        return act()

    def _carelessly(self, plan: Item, balance: Item, now_ms: int) -> Generator[float, None, str]:
        yield TRIP_SECONDS
        available, tat_ms = balance.available, plan.tat_ms
        if branch(self.part, tat_ms, now_ms) is Branch.DENIED:
            return "limited"
        if available < 1:
            return "short"
        yield TRIP_SECONDS
        balance.available, plan.tat_ms = available - 1, advance(self.part, tat_ms, now_ms)
        return "accepted"

    def _read(self) -> list[dict[str, object]]:
        return [{"name": name, "available": each.available} for name, each in self.balances.items()]


FAULTS = ("throttled", "collided")
OUTCOMES = ("accepted", "limited", "out of credits", "short", "throttled", "contended")
ROOMY = Policy("organization-generations", quota=12_000_000, window=60, burst=6_000_000)


def seeded(seed: int) -> Random:
    """The same numbers in every run."""
    return Random(seed)  # noqa: S311


def sustained(shards: int, **setting: Any) -> int:
    """The highest of the rates at which at most 1 request in 100 gets 503."""

    def holds(rate: int) -> bool:
        tried = Organization(shards, ROOMY, 10**9, seeded(shards), **setting)
        tried.flood(rate, 1.5)
        return tried.share("throttled", "contended") <= 0.01

    low, high = 0, len(RATES)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if holds(RATES[middle]) else (low, middle)
    return RATES[low - 1] if low else 0


def busiest(times_ms: Sequence[int], length_ms: int) -> int:
    """The most calls in any window of that length."""
    ordered, start, most = sorted(times_ms), 0, 0
    for end, time in enumerate(ordered):
        while ordered[start] < time - length_ms:
            start += 1
        most = max(most, end - start + 1)
    return most


def too_many(shards: int, *, careless: bool) -> int:
    """Calls admitted beyond the credits or the limit, in a flood that meets both."""
    policy = Policy("organization-generations", quota=1600, window=2, burst=800)
    flooded = Organization(
        shards, policy, 2000, seeded(shards), careless=careless, warm_seconds=0.0
    )
    flooded.flood(1500, 4.0)
    beyond = busiest(flooded.admitted_ms, policy.window * 1000) - policy.quota
    return max(0, flooded.accepted - flooded.credits) + max(0, beyond)


def refused_early(shards: int, policy: Policy) -> float:
    """The share of calls refused when they come at nine tenths of what the limit lets trickle."""
    draw, part = seeded(shards), policy.share(shards)
    tats: list[int | None] = [None] * policy.parts(shards)
    now, refused, calls = 0.0, 0, 20_000
    for _ in range(calls):
        now += draw.expovariate(0.9 * (policy.quota - policy.burst) / policy.window)
        shard, now_ms = draw.randrange(len(tats)), int(now * 1000)
        if branch(part, tats[shard], now_ms) is Branch.DENIED:
            refused += 1
        else:
            tats[shard] = advance(part, tats[shard], now_ms)
    return refused / calls


def main() -> None:
    """Print the tables of docs/scaling.md."""
    offered, seconds = 1000, 4.0
    print(f"Offered {offered} a second for {seconds:.0f} seconds:\n")
    print(
        "| shards | accepted/s | p50 ms | p99 ms | collisions per accepted "
        "| 503, throttled | 503, collided | settled later |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for shards in SHARDS:
        run = Organization(shards, ROOMY, 10**9, seeded(shards))
        run.flood(offered, seconds)
        cuts = quantiles([each * 1000 for each in run.seconds], n=100)
        print(
            f"| {shards} | {run.accepted / seconds:.0f} | {cuts[49]:.0f} | {cuts[98]:.0f} "
            f"| {run.counted['collisions'] / run.accepted:.1f} "
            f"| {run.share('throttled'):.0%} | {run.share('contended'):.0%} "
            f"| {run.counted['settled later'] / run.accepted:.0%} |"
        )
    print("\nHighest rate with at most 1 % of 503, and calls admitted too many in a flood:\n")
    print("| shards | counters | and the ledger | and one brand | too many | reading first |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for shards in SHARDS:
        print(
            f"| {shards} | {sustained(shards)} | {sustained(shards, ledger=True)} "
            f"| {sustained(shards, one_brand=True)} "
            f"| {too_many(shards, careless=False)} | {too_many(shards, careless=True)} |"
        )
    holds = (0.002, 0.005, 0.01)
    print("\nHighest rate, counters alone, by how long a transaction holds its items:\n")
    print(f"| shards | {' | '.join(f'{hold * 1000:.0f} ms' for hold in holds)} |")
    print("| ---: | ---: | ---: | ---: |")
    for shards in (1, 4):
        rates = " | ".join(str(sustained(shards, hold_seconds=hold)) for hold in holds)
        print(f"| {shards} | {rates} |")
    limits = [Policy("", quota, 60, quota // 2) for quota in (600, 6000, 60_000)]
    print("\nRefused at nine tenths of a limit, by its quota in 60 seconds:\n")
    print(f"| shards | {' | '.join(str(limit.quota) for limit in limits)} |")
    print("| ---: | ---: | ---: | ---: |")
    for shards in SHARDS:
        shares = " | ".join(f"{refused_early(shards, limit):.1%}" for limit in limits)
        print(f"| {shards} | {shares} |")


if __name__ == "__main__":
    main()
