"""Credits: balances, the plan they are made by, the ledger of their movements, and usage.

    ORG#<org_id>   PLAN#<shard>                      rev, terms: {monthly_credits, shards, limits},
                                                     tat_organization_generations
    ORG#<org_id>   BALANCE#<until>#<pool>#<shard>    amount, used, reserved, available
    ORG#<org_id>   MOVE#<month>#<id>#<slot>          kind, at, amounts: {balance: credits}; a
                                                     grant has `grants` as its month; a settlement
                                                     for less than was held has `returned`
    ORG#<org_id>   USAGE#<day>#<hash>#<shard>        key_id, model, brand_id, …, images, credits
    ORG#<org_id>   ENDUSAGE#<day>#<hash>#<shard>     the same, by end user

A pool is a month's allowance, named `2026-11`, or a grant, named by its id. `until` is when it
expires, in seconds and with twelve digits, so that a query finds unexpired balances in order of
expiry. For an organization with more traffic than one item can take each pool is split into shards.

`available` is stored, because a condition cannot do sums; every transaction keeps
`amount - used - reserved = available`. A generation reserves once and is then settled or released
once: both outcomes have one key, so the second is refused.

`rev` grows with every change of the plan and every grant. An organization without a plan has one
unexpired balance, this month's: a process that finds no `rev` knows it without reading it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from imagelayer.limits.counters import Guard, Meter, RateLimitAttempt, TatMemory
from imagelayer.limits.rate_limits import Policy
from imagelayer.platform.frozen import field, frozen
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    Table,
    TransactionRefused,
    transact,
    try_transact,
)
from imagelayer.platform.times import end_of_utc_month, utc_day, utc_month

if TYPE_CHECKING:
    from imagelayer.credits.records import Balance, Movement

# How long balances, movements and usage are kept after they can matter: about thirteen months.
KEPT_SECONDS = 400 * 86_400
MAX_SHARDS = 32
# How far a limit may move while the number of its shards is changed.
RESHARDING_MS = 1000
Terms = Mapping[str, Any]


@frozen
class Reservation:
    """Credits held for one generation: from which balances, and the month it is recorded under."""

    org_id: str
    month: str
    generation_id: str
    draws: Mapping[str, int] = field(default_factory=dict)

    @property
    def amount(self) -> int:
        """The sum of its draws."""
        return sum(self.draws.values())


@frozen
class Usage:
    """What a finished generation adds to usage."""

    key_id: str | None
    user_id: str | None
    end_user_id: str | None
    model: str
    brand_id: str | None
    mode: str
    images: int
    credits: int


def balance_name(until: int, pool: str, shard: int = 0) -> str:
    """The name of a balance: the part of its sort key behind `BALANCE#`."""
    return f"{until:012d}#{pool}#{shard}"


def allowance_name(now: float, month: str, shard: int = 0) -> str:
    """The name of a month's allowance."""
    return balance_name(end_of_utc_month(now), month, shard)


def pool_of(name: str) -> str:
    """The pool a balance belongs to."""
    return name.split("#")[1]


def until_of(name: str) -> int:
    """When a balance expires."""
    return int(name.split("#", maxsplit=1)[0])


class CreditStore:
    """Balances and movements; builds the actions that other stores add to their transactions."""

    def __init__(self, client: Any, table: Table, memory: TatMemory) -> None:
        self._client = client
        self._table = table
        self._meter = Meter(table, memory)

    def plan(self, org_id: str) -> Item:
        """The first shard of an organization's plan; empty for an organization without one."""
        return self._table.get(f"ORG#{org_id}", "PLAN#0") or {}

    def plan_to_change(self, org_id: str) -> Item:
        """The plan with each limit's latest TAT of all shards, earlier plans' shards included."""
        shards = self._table.query(f"ORG#{org_id}", prefix="PLAN#")
        tats: dict[str, int] = {}
        for shard in shards:
            for name in shard:
                if name.startswith("tat_"):
                    tats[name] = max(shard[name], tats.get(name, 0))
        return {**next((each for each in shards if each["sk"] == "PLAN#0"), {}), **tats}

    def balances(self, org_id: str, now: int) -> list[Balance]:
        """Unexpired balances, soonest to expire first."""
        first = f"BALANCE#{now + 1:012d}"
        return _named(self._table.query_range(f"ORG#{org_id}", first, "BALANCE#~"))

    def pool(self, org_id: str, name: str) -> list[Balance]:
        """All shards of the pool that a balance belongs to."""
        prefix = f"BALANCE#{name.rpartition('#')[0]}#"
        return _named(self._table.query(f"ORG#{org_id}", prefix=prefix))

    def all_balances(self, org_id: str) -> list[Balance]:
        """Every balance that is kept, expired ones included."""
        return _named(self._table.query(f"ORG#{org_id}", prefix="BALANCE#"))

    def movements(self, org_id: str, month: str = "") -> list[Movement]:
        """The ledger of one month, or all of it that is kept."""
        found = self._table.query(f"ORG#{org_id}", prefix=f"MOVE#{month}")
        return cast("list[Movement]", found)

    def usage(
        self, org_id: str, first: str, last: str, *, by_end_user: bool, limit: int
    ) -> list[Item]:
        """Rows of usage from the day `first` to the day `last`, each with its `day`, at most
        `limit`."""
        family = "ENDUSAGE" if by_end_user else "USAGE"
        rows = self._table.query_range(
            f"ORG#{org_id}", f"{family}#{first}#", f"{family}#{last}#~", limit=limit
        )
        return [{**row, "day": row["sk"].split("#")[1]} for row in rows]

    def limit_attempt(
        self, org_id: str, shard: int, policy: Policy, now_ms: int, rev: int | None
    ) -> RateLimitAttempt:
        """An attempt at a limit of the organization; it needs the plan to have this `rev`."""
        expected = "attribute_not_exists(#rev)" if rev is None else "#rev = :rev"
        guard = Guard(
            expected,
            lambda plan: plan.get("rev") == rev,
            {} if rev is None else {"rev": rev},
        )
        # Without a plan the item may be missing, which then counts as an empty one.
        return RateLimitAttempt(
            self._meter, f"ORG#{org_id}", f"PLAN#{shard}", policy, now_ms, guard
        )

    def open_month(self, org_id: str, month: str, now: int, allowance: int, shards: int) -> None:
        """Create the month's balances on their first use. Of several racing callers one creates all
        of them: the ledger's entry is the condition."""
        try_transact(self._client, self._opening(org_id, month, now, allowance, shards))

    def _opening(
        self, org_id: str, month: str, now: int, allowance: int, shards: int
    ) -> list[Action]:
        names = [allowance_name(now, month, shard) for shard in range(shards)]
        amounts = dict(zip(names, split(allowance, shards), strict=True))
        actions = [self._new_balance(org_id, name, part) for name, part in amounts.items()]
        return [*actions, self._movement(org_id, month, month, "allowance", amounts, now)]

    def grant(
        self, org_id: str, grant_id: str, amount: int, until: int, now: int, plan: Item
    ) -> bool:
        """Give credits that expire at `until`; False when this grant was given before.

        Raises TransactionRefused when another change of the plan came first.
        """
        shards = (plan.get("terms") or {}).get("shards", 1)
        parts = split(amount, shards)
        amounts = {
            balance_name(until, grant_id, shard): part for shard, part in enumerate(parts) if part
        }
        # Under no month: the same grant, repeated in the next month, must find this entry.
        actions = [self._movement(org_id, "grants", grant_id, "grant", amounts, now)]
        actions += [self._new_balance(org_id, name, part) for name, part in amounts.items()]
        actions += self._plan_actions(org_id, plan, plan.get("terms") or {})
        try:
            transact(self._client, actions)
        except TransactionRefused as refusal:
            if refusal.refused[0]:
                return False
            raise
        return True

    def set_plan(
        self, org_id: str, plan: Item, terms: Terms, moves: Mapping[str, int], now: int
    ) -> None:
        """Change the plan, and with it this month's balances by `moves`: a decrease must be
        available in its balance.

        Raises TransactionRefused when another change of the plan or a balance came first.
        """
        month = utc_month(now)
        actions = self._plan_actions(org_id, plan, terms)
        actions += [
            self._table.update_action(
                f"ORG#{org_id}",
                f"BALANCE#{name}",
                "SET #amount = if_not_exists(#amount, :none) + :change, "
                "#available = if_not_exists(#available, :none) + :change, "
                "#used = if_not_exists(#used, :none), "
                "#reserved = if_not_exists(#reserved, :none), #purge_at = :purge_at",
                condition="#available >= :taken" if change < 0 else None,
                none=0,
                change=change,
                purge_at=until_of(name) + KEPT_SECONDS,
                **({"taken": -change} if change < 0 else {}),
            )
            for name, change in moves.items()
            if change
        ]
        if any(moves.values()):
            rev = (plan.get("rev") or 0) + 1
            actions.append(self._movement(org_id, month, f"plan-{rev}", "adjust", moves, now))
        transact(self._client, actions)

    def set_plan_and_open(
        self, org_id: str, plan: Item, terms: Terms, allowance: int, now: int
    ) -> None:
        """Change the plan before this month's first use, and create the month's balances by it.

        The first request could create them by an older plan, which it read before. Raises
        TransactionRefused when another change of the plan or that first request came first.
        """
        shards = terms.get("shards", 1)
        opening = self._opening(org_id, utc_month(now), now, allowance, shards)
        transact(self._client, [*self._plan_actions(org_id, plan, terms), *opening])

    def _plan_actions(self, org_id: str, plan: Item, terms: Terms) -> list[Action]:
        """Raise the plan's `rev` on every shard it had or will have, all as they were read.

        When the number of shards changes, each limit of each shard is set to the latest TAT of all
        of them, and a little later for the calls in progress, so that neither splitting nor joining
        frees any quota. A call that moved a TAT even later refuses this.
        """
        before = (plan.get("terms") or {}).get("shards", 1)
        after = terms.get("shards", 1)
        tats = {name: tat for name, tat in plan.items() if name.startswith("tat_")}
        full = {name: tat + RESHARDING_MS for name, tat in tats.items() if before != after}
        rev = plan.get("rev")
        seen = "attribute_not_exists(#rev)" if rev is None else "#rev = :seen"
        values: dict[str, Any] = {"next": (rev or 0) + 1, "terms": dict(terms), **full}
        filled = "".join(f", #{name} = :{name}" for name in full)
        not_past = [f"(attribute_not_exists(#{name}) OR #{name} <= :{name})" for name in full]
        actions = []
        for shard in range(max(before, after)):
            known = shard < before
            condition = " AND ".join([*([seen] if known else []), *not_past])
            actions.append(
                self._table.update_action(
                    f"ORG#{org_id}",
                    f"PLAN#{shard}",
                    f"SET #rev = :next, #terms = :terms{filled}",
                    condition=condition or None,
                    **values,
                    **({"seen": rev} if known and rev is not None else {}),
                )
            )
        return actions

    def _new_balance(self, org_id: str, name: str, amount: int) -> Action:
        return self._table.put_action(
            {
                "pk": f"ORG#{org_id}",
                "sk": f"BALANCE#{name}",
                "amount": amount,
                "used": 0,
                "reserved": 0,
                "available": amount,
                "purge_at": until_of(name) + KEPT_SECONDS,
            },
            condition="attribute_not_exists(#pk)",
        )

    def reserve(self, held: Reservation, now: int) -> list[Action]:
        """available -> reserved: one action per draw, then the movement. A draw is refused when its
        balance is missing or has less available."""
        return [*self._draw(held, "available", "reserved"), self._outcome(held, "reserve", now)]

    def settle(self, held: Reservation, usage: Usage, now: int) -> list[Action]:
        """reserved -> used, and the usage it pays for; credits held beyond `usage.credits` go back
        to available. Refused when the reservation was settled or released before. A generation
        without cost is counted and moves nothing."""
        shard = int(next(iter(held.draws), "#0").rpartition("#")[2])
        counted = self._usage(held.org_id, usage, shard, now)
        if not held.draws:
            return counted
        returned = _returned(held, usage.credits)
        # The job's own condition, in the same transaction, lets it settle once. A balance with less
        # reserved than the job holds means that the books are wrong, and then nothing moves.
        draws = [
            self._table.update_action(
                f"ORG#{held.org_id}",
                f"BALANCE#{name}",
                "SET #reserved = #reserved - :amount, #used = #used + :used, "
                "#available = #available + :returned",
                condition="#reserved >= :amount",
                amount=amount,
                used=amount - returned.get(name, 0),
                returned=returned.get(name, 0),
            )
            for name, amount in held.draws.items()
        ]
        return [*draws, *counted, self._outcome(held, "settle", now, returned)]

    def release(self, held: Reservation, now: int) -> list[Action]:
        """reserved -> available. Refused when the reservation was settled or released before."""
        return [*self._draw(held, "reserved", "available"), self._outcome(held, "release", now)]

    def _draw(self, held: Reservation, source: str, target: str) -> list[Action]:
        """Move the held credits from one number of their balances to another, if they are there."""
        return [
            self._table.update_action(
                f"ORG#{held.org_id}",
                f"BALANCE#{name}",
                f"SET #{source} = #{source} - :amount, #{target} = #{target} + :amount",
                condition=f"#{source} >= :amount",
                amount=amount,
            )
            for name, amount in held.draws.items()
        ]

    def _outcome(
        self, held: Reservation, kind: str, now: int, returned: Mapping[str, int] | None = None
    ) -> Action:
        return self._movement(
            held.org_id, held.month, held.generation_id, kind, held.draws, now, returned
        )

    def _movement(
        self,
        org_id: str,
        month: str,
        what: str,
        kind: str,
        amounts: Mapping[str, int],
        now: int,
        returned: Mapping[str, int] | None = None,
    ) -> Action:
        slot = "outcome" if kind in ("settle", "release") else kind
        last = max((until_of(name) for name in amounts), default=now)
        return self._table.put_action(
            {
                "pk": f"ORG#{org_id}",
                "sk": f"MOVE#{month}#{what}#{slot}",
                "kind": kind,
                "amounts": dict(amounts),
                **({"returned": dict(returned)} if returned else {}),
                "at": now,
                "purge_at": max(last, now) + KEPT_SECONDS,
            },
            condition="attribute_not_exists(#pk)",
        )

    def _usage(self, org_id: str, usage: Usage, shard: int, now: int) -> list[Action]:
        """Count a generation in the row of its day and kind, and in its end user's."""
        kind = {
            "key_id": usage.key_id,
            "user_id": usage.user_id,
            "model": usage.model,
            "brand_id": usage.brand_id,
            "mode": usage.mode,
        }
        families = {"USAGE": kind}
        if usage.end_user_id:
            families["ENDUSAGE"] = {**kind, "end_user_id": usage.end_user_id}
        day = utc_day(now)
        actions = []
        for family, named in families.items():
            known = {name: value for name, value in named.items() if value is not None}
            text = "\x00".join(f"{name}={known[name]}" for name in sorted(known))
            hashed = hashlib.sha256(text.encode()).hexdigest()[:32]
            settings = "".join(f", #{name} = :{name}" for name in known)
            actions.append(
                self._table.update_action(
                    f"ORG#{org_id}",
                    f"{family}#{day}#{hashed}#{shard}",
                    "ADD #generations :one, #images :images, #credits :credits "
                    f"SET #purge_at = :purge_at{settings}",
                    one=1,
                    images=usage.images,
                    credits=usage.credits,
                    purge_at=now + KEPT_SECONDS,
                    **known,
                )
            )
        return actions

    def mark_alerted(self, org_id: str, name: str, percent: int) -> bool:
        """Mark a balance as alerted at a percentage; False when it was marked before. Of any number
        of racing charges that reach the percentage, one sets the mark."""
        try:
            self._table.update(
                f"ORG#{org_id}",
                f"BALANCE#{name}",
                f"SET #alerted_{percent} = :yes",
                condition=f"attribute_exists(#pk) AND attribute_not_exists(#alerted_{percent})",
                yes=True,
            )
        except ConditionFailed:
            return False
        return True


def _returned(held: Reservation, used: int) -> dict[str, int]:
    """How much of each draw goes back when only `used` of the reservation was spent: the balances
    that expire last get theirs back first."""
    left = held.amount - used
    returned = {}
    for name in sorted(held.draws, reverse=True):
        back = min(left, held.draws[name])
        if back > 0:
            returned[name] = back
            left -= back
    return returned


def _named(items: list[Item]) -> list[Balance]:
    named = [{**each, "name": each["sk"].removeprefix("BALANCE#")} for each in items]
    return cast("list[Balance]", named)


def split(amount: int, shards: int) -> list[int]:
    """`amount` in `shards` whole parts that differ by one at most, larger ones first."""
    part, rest = divmod(amount, shards)
    return [part + (shard < rest) for shard in range(shards)]
