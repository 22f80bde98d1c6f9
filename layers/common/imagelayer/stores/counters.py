"""Conditional-write counters: the rate limiter's times and the calendar allowances."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field

from imagelayer.rate_limits import Admission, Branch, Policy, advance, branch, denial
from imagelayer.stores.table import ConditionFailed, Item, StoreUnavailable, Table

# A loser of the race below tries again with what it learned; each failure means that another call
# was admitted meanwhile, so only a storm on one subject runs out of attempts, and is then denied.
RACE_ATTEMPTS = 12
REMEMBERED_SUBJECTS = 4096
Subject = tuple[str, str, str]  # an item's pk and sk, and the attribute of one of its limits


class GuardFailed(Exception):
    """The item is not there or its guard does not hold; `item` is what stands there."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("guard failed")
        self.item = item


@dataclass
class TatMemory:
    """The newest TAT this process has seen of each subject.

    A TAT only ever moves forward. So a remembered one that denies goes on denying until the moment
    it names, and a flood is answered without a write; one that lies ahead of now tells that the
    subject is in a burst, and the first write tried is the one that fits. A subject is an item and
    one limit of it; items that share a partition, such as a user's sessions, share no limit.
    """

    tats_ms: OrderedDict[Subject, int] = field(default_factory=OrderedDict)

    def recall(self, subject: Subject) -> int | None:
        """The newest TAT seen, or None."""
        return self.tats_ms.get(subject)

    def remember(self, subject: Subject, tat_ms: int) -> None:
        """Keep the newest subjects; forgetting one only costs a write."""
        self.tats_ms[subject] = max(tat_ms, self.tats_ms.get(subject, 0))
        self.tats_ms.move_to_end(subject)
        while len(self.tats_ms) > REMEMBERED_SUBJECTS:
            self.tats_ms.popitem(last=False)


@dataclass(frozen=True)
class Meter:
    """One item's rate limits, each an attribute `tat_<policy>`, moved by one conditional write.

    `guard` is a condition on the same item that must hold as well: for a credential, that it
    exists, is not revoked and has not expired. One write then authenticates and meters.
    """

    table: Table
    memory: TatMemory

    def admit(
        self,
        pk: str,
        sk: str,
        policy: Policy,
        now_ms: int,
        *,
        guard: str | None = None,
        mark: tuple[str, int] | None = None,
        **values: object,
    ) -> tuple[Item, Admission]:
        """Admit one call and return the item as it stands afterwards.

        `mark` is an attribute and a number that the same write sets, at no further cost.

        Raises Limited, GuardFailed, or StoreUnavailable (which the caller must treat as a denial).

        States of the TAT and the write that moves it:

            absent or past ──IDLE──▶ now + interval
            ahead, within tolerance ──BUSY──▶ itself + interval
            further ahead ── no write fits: denied

        Two callers that see the same state race on its condition. DynamoDB orders writes to one
        item: the first wins, the second's condition is evaluated against the first's result, so
        either it still fits (and is a lawful admission) or it fails and hands back the new state,
        from which the loser picks the other write or learns that it is denied. The first guess
        comes from what this process saw last, and is IDLE for a subject it does not know.
        """
        attribute = f"tat_{policy.name.replace('-', '_')}"
        subject = (pk, sk, attribute)
        seen = self.memory.recall(subject)
        guess = branch(policy, seen, now_ms)
        if guess is Branch.DENIED and seen is not None:
            raise denial(policy, seen, now_ms)
        for _ in range(RACE_ATTEMPTS):
            try:
                item = self._write(guess, pk, sk, attribute, policy, now_ms, guard, mark, values)
                self.memory.remember(subject, item[attribute])
                return item, Admission.after(policy, item[attribute], now_ms)
            except ConditionFailed as failure:
                old = failure.item or {}
                tat = old.get(attribute)
                state = branch(policy, tat, now_ms)
                if tat is not None:
                    self.memory.remember(subject, tat)
                if state is Branch.DENIED and tat is not None:
                    raise denial(policy, tat, now_ms) from None
                # A guard cannot hold on a missing item; and where the rate condition held, it was
                # the guard that did not.
                if guard is not None and (failure.item is None or state is guess):
                    raise GuardFailed(failure.item) from None
                guess = state
        raise StoreUnavailable("update_item", "the subject is too contended")

    def _write(
        self,
        guess: Branch,
        pk: str,
        sk: str,
        attribute: str,
        policy: Policy,
        now_ms: int,
        guard: str | None,
        mark: tuple[str, int] | None,
        values: dict[str, object],
    ) -> Item:
        if guess is Branch.IDLE:
            change = f"SET #{attribute} = :next"
            condition = f"(attribute_not_exists(#{attribute}) OR #{attribute} <= :now_ms)"
            bounds = {"next": advance(policy, None, now_ms), "now_ms": now_ms}
        else:
            change = f"SET #{attribute} = #{attribute} + :interval"
            condition = f"(#{attribute} > :now_ms AND #{attribute} <= :latest)"
            bounds = {
                "interval": policy.interval_ms,
                "now_ms": now_ms,
                "latest": now_ms + policy.tolerance_ms,
            }
        if guard is not None:
            condition = f"{condition} AND {guard}"
        if mark is not None:
            change += f", #{mark[0]} = :mark"
            bounds["mark"] = mark[1]
        return self.table.update(pk, sk, change, condition=condition, **bounds, **values)


class CounterStore:
    """Limits on subjects that have no item of their own, such as client addresses."""

    def __init__(self, table: Table, memory: TatMemory) -> None:
        self._table = table
        self._meter = Meter(table, memory)

    def admit(self, subject: str, policy: Policy, now_ms: int) -> Admission:
        """Count one call of `subject`. Raises Limited or StoreUnavailable."""
        # The item is of no use once its TAT is past; TTL removes it a window later.
        expires_at = now_ms // 1000 + 2 * policy.window
        _, admission = self._meter.admit(
            f"LIMIT#{policy.name}#{subject}",
            "TAT",
            policy,
            now_ms,
            mark=("expires_at", expires_at),
        )
        return admission

    def guess(self, subject: str, policy: Policy, now_ms: int) -> None:
        """Count one attempt that may turn out right. Raises Limited or StoreUnavailable.

        Counted before it is known to be wrong, so that racing guesses cannot outrun the limit;
        `forgive` takes the attempts back once one was right. That breaks the rule that a TAT only
        moves forward, so no process remembers these and each is decided by the table.
        """
        Meter(self._table, TatMemory()).admit(
            f"LIMIT#{policy.name}#{subject}",
            "TAT",
            policy,
            now_ms,
            mark=("expires_at", now_ms // 1000 + 2 * policy.window),
        )

    def forgive(self, subject: str, policy: Policy) -> None:
        """Forget the attempts of a subject after a right one."""
        with suppress(ConditionFailed):  # they ran out meanwhile
            self._table.update(
                f"LIMIT#{policy.name}#{subject}",
                "TAT",
                f"SET #tat_{policy.name.replace('-', '_')} = :zero",
                condition="attribute_exists(#pk)",
                zero=0,
            )

    def bind(self, name: str, token: str, subject: str, *, expires_at: int, now: int) -> bool:
        """Bind a single-use token to the first subject that brings it; False for another one.

        The first writer's condition holds; the same subject may come again, which is a retry; for
        any other the token is spent.
        """
        try:
            self._table.update(
                f"TOKEN#{name}#{token}",
                "BOUND",
                "SET #subject = :subject, #expires_at = :expires_at",
                condition="attribute_not_exists(#pk) OR #subject = :subject OR #expires_at <= :now",
                subject=subject,
                expires_at=expires_at,
                now=now,
            )
        except ConditionFailed:
            return False
        return True

    def take(self, name: str, subject: str, day: str, *, limit: int, expires_at: int) -> bool:
        """Take one of `limit` from a calendar allowance; False when none is left.

        The condition and the increment are one write, so of any number of racing callers exactly
        `limit` succeed. A retry after a lost answer may count twice, which errs closed.
        """
        try:
            self._table.update(
                f"ALLOWANCE#{name}#{subject}",
                day,
                "ADD #taken :one SET #expires_at = :expires_at",
                condition="attribute_not_exists(#taken) OR #taken < :limit",
                one=1,
                limit=limit,
                expires_at=expires_at,
            )
        except ConditionFailed:
            return False
        return True
