"""Conditional-write counters: the rate limiter's times and the calendar allowances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from imagelayer.limits.rate_limits import (
    SITE_FACTOR,
    Admission,
    Branch,
    Limited,
    Policy,
    advance,
    branch,
    denial,
    site_of,
)
from imagelayer.platform.frozen import field, frozen
from imagelayer.platform.recent import Recent
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    StoreUnavailable,
    Table,
    TransactionRefused,
)

# A loser of the race below tries again with what it learned; each failure means that another call
# was admitted in between, so only a storm on one subject runs out of attempts, and is then denied.
RACE_ATTEMPTS = 12
REMEMBERED_SUBJECTS = 4096
# How long a process may deny from memory. A raised limit takes effect everywhere within this time;
# a flood costs at most one write per process per period.
REMEMBER_MS = 10_000
Subject = tuple[str, str, str]  # an item's pk and sk, and the attribute of one of its limits


class GuardFailed(Exception):
    """The item is not there or its guard does not hold; `item` is what is stored."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("guard failed")
        self.item = item


@frozen
class Guard:
    """A condition on the item that carries the limit.

    `holds` checks an item as `expression` does in DynamoDB, to find out afterwards which of the two
    conditions failed. It may check more: what a write names, a role that makes the write may
    change (docs/decisions/0027), so what decides who may call is checked on the returned item.
    """

    expression: str
    holds: Callable[[Item], bool]
    values: Mapping[str, object] = field(default_factory=dict)


class TatMemory:
    """The newest TAT this process has seen of each subject, and when it saw it.

    A TAT only moves forward. So a remembered one that denies goes on denying until its time, and a
    flood is answered without a write; one ahead of now shows that the subject is in a burst, and
    the first write tried is the one that fits. A subject is an item and one limit of it; items that
    share a partition, such as a user's sessions, share no limit.
    """

    def __init__(self) -> None:
        self.tats_ms: Recent[Subject, tuple[int, int]] = Recent(REMEMBERED_SUBJECTS)

    def recall(self, subject: Subject) -> int | None:
        """The newest TAT seen, or None."""
        return self.tats_ms.get(subject, (None, 0))[0]

    def denies(self, subject: Subject, policy: Policy, now_ms: int) -> bool:
        """Whether what was seen a moment ago denies a call now."""
        tat_ms, seen_ms = self.tats_ms.get(subject, (None, 0))
        fresh = 0 <= now_ms - seen_ms < REMEMBER_MS
        return fresh and branch(policy, tat_ms, now_ms) is Branch.DENIED

    def remember(self, subject: Subject, tat_ms: int, now_ms: int) -> None:
        """Keep the newest subjects; forgetting one only costs a write."""
        known = self.recall(subject) or 0
        self.tats_ms.keep(subject, (max(tat_ms, known), now_ms))


@frozen
class Meter:
    """One item's rate limits, each an attribute `tat_<policy>`, moved by one conditional write.

    A `guard` is a condition on the same item that must hold as well: for a credential, that it
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
        guard: Guard | None = None,
        mark: tuple[str, int] | None = None,
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
        attempt = RateLimitAttempt(self, pk, sk, policy, now_ms, guard, mark)
        for _ in range(RACE_ATTEMPTS):
            write = attempt.write()
            try:
                item = self.table.update(
                    pk, sk, write.change, condition=write.condition, **write.values
                )
            except ConditionFailed as failure:
                attempt.learn(failure.item)
                continue
            self.memory.remember(attempt.subject, item[attempt.attribute], now_ms)
            if guard is not None and not guard.holds(item):
                raise GuardFailed(item)
            return item, Admission.after(policy, item[attempt.attribute], now_ms)
        raise StoreUnavailable("update_item", "the subject is too contended")


@frozen
class Write:
    """One conditional update of a limit."""

    change: str
    condition: str
    values: dict[str, object]


@frozen
class RateLimitAttempt:
    """One call's attempt at a limit, on its own or inside the transaction it limits."""

    meter: Meter
    pk: str
    sk: str
    policy: Policy
    now_ms: int
    guard: Guard | None = None
    mark: tuple[str, int] | None = None

    @property
    def attribute(self) -> str:
        """The attribute of the item that holds the limit's TAT."""
        return _attribute(self.policy)

    @property
    def subject(self) -> Subject:
        """What the process remembers the TAT under."""
        return (self.pk, self.sk, self.attribute)

    def write(self) -> Write:
        """The write that fits what is known. Raises Limited when a denial is remembered."""
        memory, policy, now_ms = self.meter.memory, self.policy, self.now_ms
        seen = memory.recall(self.subject)
        if seen is not None and memory.denies(self.subject, policy, now_ms):
            raise denial(policy, seen, now_ms)
        name = self.attribute
        values: dict[str, object]
        if branch(policy, seen, now_ms) is Branch.IDLE:
            change = f"SET #{name} = :next"
            condition = f"(attribute_not_exists(#{name}) OR #{name} <= :now_ms)"
            values = {"next": advance(policy, None, now_ms), "now_ms": now_ms}
        else:
            change = f"SET #{name} = #{name} + :interval"
            condition = f"(#{name} > :now_ms AND #{name} <= :latest)"
            values = {
                "interval": policy.interval_ms,
                "now_ms": now_ms,
                "latest": now_ms + policy.tolerance_ms,
            }
        if self.guard is not None:
            condition = f"{condition} AND {self.guard.expression}"
            values |= self.guard.values
        if self.mark is not None:
            change += f", #{self.mark[0]} = :mark"
            values["mark"] = self.mark[1]
        return Write(change, condition, values)

    def action(self) -> Action:
        """The write as a member of a transaction. Raises Limited when a denial is remembered."""
        write = self.write()
        return self.meter.table.update_action(
            self.pk, self.sk, write.change, condition=write.condition, **write.values
        )

    def learn(self, item: Item | None) -> None:
        """Take in what was stored when the write was refused, for the next attempt.

        Raises GuardFailed, or Limited for a call that no write would admit.
        """
        if self.guard is not None and (item is None or not self.guard.holds(item)):
            raise GuardFailed(item)
        tat = (item or {}).get(self.attribute)
        # What is stored is newer than what was remembered, also when it is less, or gone.
        self.meter.memory.tats_ms.drop(self.subject)
        if tat is None:
            return
        self.meter.memory.remember(self.subject, tat, self.now_ms)
        if branch(self.policy, tat, self.now_ms) is Branch.DENIED:
            raise denial(self.policy, tat, self.now_ms)

    def committed(self) -> None:
        """Note that the transaction with this attempt's action holds: the TAT is at least this."""
        seen = self.meter.memory.recall(self.subject)
        self.meter.memory.remember(
            self.subject, advance(self.policy, seen, self.now_ms), self.now_ms
        )


def _attribute(policy: Policy) -> str:
    return f"tat_{policy.name.replace('-', '_')}"


class CounterStore:
    """Limits on subjects that have no item of their own, such as client addresses."""

    def __init__(self, table: Table, memory: TatMemory) -> None:
        self._table = table
        self._meter = Meter(table, memory)

    def admit(self, subject: str, policy: Policy, now_ms: int) -> Admission:
        """Count one call of `subject`. Raises Limited or StoreUnavailable.

        Where the policy counts sites as well, a call from an IPv6 network counts for its /64 and
        for its /48 or for neither, in one transaction.
        """
        site = site_of(subject) if policy.site_factor else ""
        if site:
            return self._admit_both((subject, policy), (site, policy.of_site), now_ms)
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

    def remembered_denial(self, subject: str, policy: Policy, now_ms: int) -> Limited | None:
        """The refusal of a subject that this process knows to be past its limit, or None."""
        limits = [(subject, policy)]
        if policy.site_factor and site_of(subject):
            limits.append((site_of(subject), policy.of_site))
        for each in limits:
            try:
                self.limit_attempt(*each, now_ms).write()
            except Limited as limited:
                return limited
        return None

    def _admit_both(
        self, own: tuple[str, Policy], whole: tuple[str, Policy], now_ms: int
    ) -> Admission:
        """Count one call at two limits, or at neither.

        Each has the conditional write of `Meter.admit`. Of two calls that saw the same states the
        second is refused whole, learns what is stored, and tries again or is denied.
        """
        attempts = [self.limit_attempt(*each, now_ms) for each in (own, whole)]
        for _ in range(RACE_ATTEMPTS):
            try:
                self._table.transact([each.action() for each in attempts])
            except TransactionRefused as refusal:
                for attempt, refused, item in zip(
                    attempts, refusal.refused, refusal.items, strict=True
                ):
                    if refused:
                        attempt.learn(item)
                continue
            for attempt in attempts:
                attempt.committed()
            tat_ms = self._meter.memory.recall(attempts[0].subject) or now_ms
            return Admission.after(own[1], tat_ms, now_ms)
        raise StoreUnavailable("transact_write_items", "the subject is too contended")

    def limit_attempt(self, subject: str, policy: Policy, now_ms: int) -> RateLimitAttempt:
        """An attempt at a limit inside another transaction."""
        return RateLimitAttempt(
            self._meter,
            f"LIMIT#{policy.name}#{subject}",
            "TAT",
            policy,
            now_ms,
            mark=("expires_at", now_ms // 1000 + 2 * policy.window),
        )

    def record_attempt(self, subject: str, policy: Policy, now_ms: int) -> None:
        """Count one attempt that may succeed. Raises Limited or StoreUnavailable.

        Counted before it is known to be wrong, so that racing guesses cannot outrun the limit;
        `reset_attempts` takes the attempts back once one succeeded. That breaks the rule that a TAT
        only moves forward, so no process remembers these and each is decided by the table.
        """
        Meter(self._table, TatMemory()).admit(
            f"LIMIT#{policy.name}#{subject}",
            "TAT",
            policy,
            now_ms,
            mark=("expires_at", now_ms // 1000 + 2 * policy.window),
        )

    def reset_attempts(self, subject: str, policy: Policy) -> None:
        """Forget the attempts of a subject after a successful one."""
        with suppress(ConditionFailed):  # they have expired
            self._table.update(
                f"LIMIT#{policy.name}#{subject}",
                "TAT",
                f"SET #{_attribute(policy)} = :zero",
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

    def take_action(
        self, name: str, subject: str, day: str, *, amount: int, limit: int, expires_at: int
    ) -> Action:
        """Take `amount` of `limit` from a calendar allowance inside another transaction, which is
        refused where less is left. Of racing transactions exactly as many fit as are left."""
        return self._table.update_action(
            f"ALLOWANCE#{name}#{subject}",
            day,
            "ADD #taken :amount SET #expires_at = :expires_at",
            condition="attribute_not_exists(#taken) OR #taken <= :rest",
            amount=amount,
            rest=limit - amount,
            expires_at=expires_at,
        )

    def take(self, name: str, subject: str, day: str, *, limit: int, expires_at: int) -> bool:
        """Take one of `limit` from a calendar allowance; False when none is left.

        The condition and the increment are one write, so of any number of racing callers exactly
        `limit` succeed. A retry after a lost answer may count twice, which errs closed. Of an IPv6
        network the /48 has an allowance as well, SITE_FACTOR times as large, taken from in the same
        transaction.
        """
        site = site_of(subject)
        if site:
            return self._take_both(
                ((subject, limit), (site, limit * SITE_FACTOR)), name, day, expires_at
            )
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

    def _take_both(
        self, limits: Sequence[tuple[str, int]], name: str, day: str, expires_at: int
    ) -> bool:
        """Take one from each of two allowances, or from neither. Of racing callers who want the
        last one of either, one gets it; the others' transactions are refused and count nothing."""
        try:
            self._table.transact(
                [
                    self._table.update_action(
                        f"ALLOWANCE#{name}#{subject}",
                        day,
                        "ADD #taken :one SET #expires_at = :expires_at",
                        condition="attribute_not_exists(#taken) OR #taken < :limit",
                        one=1,
                        limit=limit,
                        expires_at=expires_at,
                    )
                    for subject, limit in limits
                ]
            )
        except TransactionRefused:
            return False
        return True
