"""Which balances a request draws its credits from.

Balances that expire first are used first: this month's allowance and every unexpired grant. A
process uses what it remembers of them, which costs nothing; the transaction that takes the credits
checks it, and outdated knowledge is replaced by a read. So no balance is overdrawn, and no request
is refused before all balances were read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelayer.credits.store import CreditStore, allowance_name, pool_of, until_of
from imagelayer.platform.frozen import frozen
from imagelayer.platform.recent import Recent
from imagelayer.platform.table import Item
from imagelayer.platform.times import utc_month

if TYPE_CHECKING:
    from imagelayer.credits.records import Balance

REMEMBERED_ORGANIZATIONS = 1024
# Balances one request may draw from. A transaction holds 100 actions (DynamoDB quotas); those of a
# charge beside its draws are eleven at most.
MAX_DRAWS = 64
# How long a process uses the balances it has read, as long as they suffice.
REMEMBER_SECONDS = 30

Terms = Mapping[str, Any]
NO_TERMS: Terms = {}


class Known:
    """What this process last saw of an organization: its plan, and its balances if it read them."""

    def __init__(self) -> None:
        self.rev: int | None = None
        self.terms: Terms = {}
        self.balances: list[Balance] | None = None
        self.read_at = 0.0

    @property
    def shards(self) -> int:
        """How many shards each pool is split into."""
        return int(self.terms.get("shards", 1))


class WalletMemory:
    """What is known of the most recent organizations; forgetting one costs a read."""

    def __init__(self) -> None:
        self.known: Recent[str, Known] = Recent(REMEMBERED_ORGANIZATIONS)

    def of(self, org_id: str) -> Known:
        """What is known of an organization; of a new one, nothing."""
        known = self.known.get(org_id, None) or Known()
        self.known.keep(org_id, known)
        return known


@frozen
class Wallet:
    """Chooses balances. `choose(n)` picks a number below `n`, to spread a busy organization."""

    store: CreditStore
    memory: WalletMemory
    monthly_credits: int
    choose: Callable[[int], int] = random.randrange

    def known(self, org_id: str) -> Known:
        """What this process knows of an organization."""
        return self.memory.of(org_id)

    def learn_plan(self, org_id: str, plan: Item | None) -> None:
        """Remember the current plan, because the remembered one is outdated."""
        known = self.memory.of(org_id)
        known.rev = (plan or {}).get("rev")
        known.terms = (plan or {}).get("terms") or NO_TERMS
        known.balances = None

    def draws(self, org_id: str, amount: int, now: float) -> dict[str, int] | None:
        """Balances and how much of each; None when together they are insufficient."""
        known = self.memory.of(org_id)
        if known.rev is None:
            # Without a plan there is only the allowance.
            return {allowance_name(now, utc_month(now)): amount}
        # Balances read last month do not include this month's allowance.
        this_month = utc_month(known.read_at) == utc_month(now)
        if known.balances is not None and this_month and now - known.read_at < REMEMBER_SECONDS:
            drawn = plan_draws(known.balances, amount, now, self.choose)
            if drawn is not None:
                return drawn
        return self.read(org_id, amount, now)

    def read(self, org_id: str, amount: int, now: float) -> dict[str, int] | None:
        """The same from the current balances, after opening the month if needed."""
        known = self.memory.of(org_id)
        balances = self.store.balances(org_id, int(now))
        if not any(pool_of(each["name"]) == utc_month(now) for each in balances):
            self.open_month(org_id, now)
            balances = self.store.balances(org_id, int(now))
        known.balances, known.read_at = balances, now
        return plan_draws(balances, amount, now, self.choose)

    def open_month(self, org_id: str, now: float) -> None:
        """Create this month's allowance by the organization's plan."""
        plan = self.store.plan(org_id)
        terms = plan.get("terms") or NO_TERMS
        self.store.open_month(
            org_id,
            utc_month(now),
            int(now),
            allowance_of(terms, self.monthly_credits),
            int(terms.get("shards", 1)),
        )

    def taken(self, org_id: str, draws: Mapping[str, int]) -> None:
        """Record what was taken, so that the next attempt does not try an empty balance."""
        for balance in self.memory.of(org_id).balances or []:
            balance["available"] -= draws.get(balance["name"], 0)


def allowance_of(terms: Terms, default: int) -> int:
    """The monthly credits of an organization."""
    own = terms.get("monthly_credits")
    return default if own is None else int(own)


def plan_draws(
    balances: Sequence[Balance], amount: int, now: float, choose: Callable[[int], int]
) -> dict[str, int] | None:
    """Take `amount` from the balances that expire first; within one pool from one balance if one
    has enough, a random one, so that callers spread. None when all together are insufficient."""
    pools: dict[str, list[Balance]] = {}
    for balance in sorted(balances, key=lambda each: str(each["name"])):
        if until_of(balance["name"]) > now and balance["available"] > 0:
            pools.setdefault(pool_of(balance["name"]), []).append(balance)
    drawn: dict[str, int] = {}
    missing = amount
    for pool in pools.values():
        enough = [each for each in pool if each["available"] >= missing]
        if enough:
            drawn[enough[choose(len(enough))]["name"]] = missing
            return drawn
        for balance in sorted(pool, key=lambda each: -int(each["available"])):
            part = min(missing, balance["available"])
            drawn[balance["name"]] = part
            missing -= part
            if not missing:
                return drawn
            if len(drawn) == MAX_DRAWS:
                return None
    return None
