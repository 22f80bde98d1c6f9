"""What the limiter is compared with: a table in memory, a reference model, and counts by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from imagelayer.limits.rate_limits import Policy
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    StoreUnavailable,
    Table,
    TransactionRefused,
)

START_MS = 1_800_000_000_000


Holds = Callable[[Item, Mapping[str, Any]], bool]
_COMPARES: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


def _split(text: str, word: str) -> list[str]:
    """Parts of an expression between those `word`s that stand in no parentheses."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and text.startswith(word, at):
            parts.append(text[start:at])
            start = at + len(word)
    return [*parts, text[start:]]


@cache
def condition_of(text: str) -> Holds:
    """A condition expression; a comparison with an attribute that is not there does not hold."""
    for word, together in ((" OR ", any), (" AND ", all)):
        if len(texts := _split(text, word)) > 1:
            parts = [condition_of(each) for each in texts]
            return lambda item, values: together(part(item, values) for part in parts)
    if text.startswith("("):
        return condition_of(text.removeprefix("(").removesuffix(")"))
    if exists := re.fullmatch(r"attribute_(not_)?exists\(#(\w+)\)", text):
        wanted, name = not exists[1], exists[2]
        return lambda item, _values: (name in item) is wanted
    if compared := re.fullmatch(r"#(\w+) (=|<|<=|>|>=) :(\w+)", text):
        name, compare, value = compared[1], _COMPARES[compared[2]], compared[3]
        return lambda item, values: name in item and compare(item[name], values[value])
    raise AssertionError(f"no limit is written under the condition {text!r}")


@cache
def change_of(text: str) -> Callable[[Item, Mapping[str, Any]], Item]:
    """An update expression. Adding to what is not there counts from zero only in `ADD`."""
    found = re.fullmatch(r"(?:ADD #(\w+) :(\w+) )?SET (.+)", text)
    assert found, f"no limit is written by {text!r}"
    adds = [(found[1], found[2])] if found[1] else []
    sets = []
    for part in found[3].split(", "):
        one = re.fullmatch(r"#(\w+) = (?:#(\w+) \+ )?:(\w+)", part)
        assert one, f"no limit is written by {text!r}"
        sets.append((one[1], one[2], one[3]))

    def change(item: Item, values: Mapping[str, Any]) -> Item:
        after = {**item, **{name: item.get(name, 0) + values[value] for name, value in adds}}
        for name, base, value in sets:
            after[name] = item[base] + values[value] if base else values[value]
        return after

    return change


@cache
def _values_in(expression: str, condition: str | None) -> frozenset[str]:
    return frozenset(re.findall(r":(\w+)", f"{expression} {condition}"))


@dataclass
class Write:
    """One conditional update as it was asked for."""

    pk: str
    sk: str
    expression: str
    condition: str | None
    values: Mapping[str, Any]


@dataclass
class FakeTable(Table):
    """What DynamoDB promises of single items, and nothing else: whatever has no method here fails.

    `between` are things that happen right before the writes to come, one before each: what other
    processes do in between. `losing` is how many answers get lost; the write has happened then, and
    is made once more as `stores.table` does.
    """

    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    between: list[Callable[[], object]] = field(default_factory=list)
    losing: int = 0
    lost: Callable[[], object] = lambda: None
    down: bool = False
    writes: int = 0

    def get(self, pk: str, sk: str) -> Item | None:
        return self.items.get((pk, sk))

    def update(
        self, pk: str, sk: str, expression: str, *, condition: str | None = None, **values: Any
    ) -> Item:
        self._meanwhile()
        if self.down:
            raise StoreUnavailable("update_item", "ThrottlingException")
        write = Write(pk, sk, expression, condition, values)
        for _ in range(2):
            self.writes += 1
            refused, item = self._look(write)
            if refused:
                raise ConditionFailed(item)
            after = self._apply(write)
            if not self.losing:
                return after
            self.losing -= 1
            self.lost()
        raise StoreUnavailable("update_item", "ReadTimeoutError")

    def update_action(
        self, pk: str, sk: str, expression: str, *, condition: str | None = None, **values: Any
    ) -> Action:
        return Action("Update", {"write": Write(pk, sk, expression, condition, values)})

    def transact(self, actions: Sequence[Action], *, others_hold: bool = True) -> None:
        """All or nothing; `others_hold` is of what else the transaction asks."""
        self._meanwhile()
        self.writes += 1
        writes: list[Write] = [action.request["write"] for action in actions]
        looked = [self._look(write) for write in writes]
        refused = [each for each, _ in looked]
        if any(refused) or not others_hold:
            items = [item if each else None for each, item in looked]
            others = [] if others_hold else [True]
            raise TransactionRefused([*refused, *others], [*items, *(None for _ in others)])
        for write in writes:
            self._apply(write)

    def _meanwhile(self) -> None:
        """Let the next thing happen. What it does is not interrupted, loses no answer, and is not
        counted."""
        if self.between:
            waiting, writes, losing, lost = self.between, self.writes, self.losing, self.lost
            self.between, self.losing = [], 0
            waiting.pop(0)()
            self.between, self.writes, self.losing, self.lost = waiting, writes, losing, lost

    def _look(self, write: Write) -> tuple[bool, Item | None]:
        named = _values_in(write.expression, write.condition)
        assert named == write.values.keys(), "DynamoDB refuses values that it misses or cannot use"
        item = self.items.get((write.pk, write.sk))
        holds = not write.condition or condition_of(write.condition)(item or {}, write.values)
        return not holds, item

    def _apply(self, write: Write) -> Item:
        key = (write.pk, write.sk)
        item = self.items.get(key, {"pk": write.pk, "sk": write.sk})
        self.items[key] = change_of(write.expression)(item, write.values)  # a new one each time
        return self.items[key]


def interval_of(policy: Policy) -> int:
    """Milliseconds a call costs, rounded up in whole numbers."""
    return -(-policy.window * 1000 // (policy.quota - policy.burst))


@dataclass
class Bucket:
    """The same limit the other way round: not a moment that moves ahead but a level that drains
    (ITU-T I.371 annex A, "continuous-state leaky bucket")."""

    level_ms: int = 0
    last_ms: int = START_MS

    def fits(self, policy: Policy, now_ms: int) -> bool:
        """Whether one call would be let in."""
        return self._level(now_ms) <= (policy.burst - 1) * interval_of(policy)

    def offer(self, policy: Policy, now_ms: int) -> bool:
        """Let one call in if it fits."""
        if not self.fits(policy, now_ms):
            return False
        self.level_ms, self.last_ms = self._level(now_ms) + interval_of(policy), now_ms
        return True

    def _level(self, now_ms: int) -> int:
        return max(0, self.level_ms - (now_ms - self.last_ms))


def busiest_window(times: Iterable[int], length_ms: int) -> int:
    """The most entries in any span of that length, both of its ends included."""
    ordered = sorted(times)
    busiest = start = 0
    for end, time in enumerate(ordered):
        while ordered[start] < time - length_ms:
            start += 1
        busiest = max(busiest, end - start + 1)
    return busiest


def excess_ms(admitted: Iterable[tuple[int, Policy]]) -> int:
    """By how much the worst span, of whatever length, holds more than was allowed; 0 if none does.

    Calls are in the order in which they were written. From call i to call j no more may be used up
    than passed between them and the tolerance at j: that bounds every window at once, and goes on
    to mean something when the policy changes on the way.
    """
    used = worst = 0
    least: int | None = None
    for now_ms, policy in admitted:
        standing = used - now_ms
        least = standing if least is None else min(least, standing)
        worst = max(worst, standing - least - (policy.burst - 1) * interval_of(policy))
        used += interval_of(policy)
    return worst


def arrivals(policy: Policy, calls: int, seed: str = "") -> list[int]:
    """When callers come: floods, trickles around the limit's own pace, and pauses, at random."""
    draw = Random(f"{policy} {seed}")
    interval, now_ms = interval_of(policy), START_MS
    times: list[int] = []
    while len(times) < calls:
        longest = draw.choice([0, interval // 4, interval, 3 * interval])
        for _ in range(draw.randrange(1, 2 * policy.quota)):
            now_ms += int(draw.random() * longest)
            times.append(now_ms)
        now_ms += draw.choice([0, draw.randrange(policy.window * 1000)])
    return times[:calls]
