"""Whether a generation may happen, decided and written in one transaction.

The brand is there, the organization and the end user are within their limits, the session is within
its cap, the credits are there, and no earlier request has the same idempotency key: all of it holds
at one moment, or nothing is written. What this process guesses of the plan, the balances and the
limits is checked by the transaction. A refusal brings what stands there, which either decides or
makes the next guess a better one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imagelayer.access.end_user_store import EndUserSessionStore, hash_of
from imagelayer.audit.security_log import SecurityLog
from imagelayer.brands.snapshots import BrandSnapshots
from imagelayer.credits.quota_alerts import QuotaAlerts
from imagelayer.credits.store import CreditStore
from imagelayer.credits.wallet import Wallet
from imagelayer.generations.jobs import reservation
from imagelayer.generations.store import GenerationStore, Refusal
from imagelayer.limits.counters import CounterStore, GuardFailed, RateLimitAttempt
from imagelayer.limits.rate_limits import POLICIES, Limited
from imagelayer.platform.errors import Problem, not_found
from imagelayer.platform.idempotency import IdempotencyRecord, Ids
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import Action, Item, StoreUnavailable

if TYPE_CHECKING:
    from imagelayer.brands.records import BrandSnapshot

# Each attempt but the last means that another request or an operator came first.
ATTEMPTS = 12


class OutOfCredits(Exception):
    """All balances together have not enough."""


class BrandMissing(Exception):
    """There is no such brand."""


@dataclass
class AcceptanceAttempt:
    """One request for a job, and what its attempts so far have learned."""

    principal: Principal
    origin: Origin
    job: Item
    idempotency: IdempotencyRecord | None
    now: float
    draws: Mapping[str, int] | None = None  # from balances that were read, for the next attempt
    turns: list[RateLimitAttempt] = field(default_factory=list)

    @property
    def org_id(self) -> str:
        """The organization that asks."""
        return str(self.job["org_id"])


@dataclass(frozen=True)
class Acceptance:
    """Accepts jobs."""

    store: GenerationStore
    brands: BrandSnapshots
    credits: CreditStore
    wallet: Wallet
    counters: CounterStore
    end_users: EndUserSessionStore
    quota_alerts: QuotaAlerts
    security: SecurityLog

    def accept(
        self,
        principal: Principal,
        origin: Origin,
        job: Item,
        idempotency: IdempotencyRecord | None,
        now: float,
    ) -> Item | None:
        """Commit a job; returns the earlier one when the request was made before.

        Raises Problem 402, 403, 404, 409 or 422, Limited, or StoreUnavailable.
        """
        asked = AcceptanceAttempt(principal, origin, job, idempotency, now)
        try:
            return self._accept(asked)
        except OutOfCredits:
            earlier = self._made_before(asked)
            if earlier is None:
                raise self._out_of_credits(asked) from None
            return earlier
        except BrandMissing:
            earlier = self._made_before(asked)
            if earlier is None:
                raise not_found("brand") from None
            return earlier
        except Limited:
            earlier = self._made_before(asked)
            if earlier is None:
                raise
            return earlier

    def _made_before(self, asked: AcceptanceAttempt) -> Item | None:
        """The job of an earlier request, where what this process knows refused this one before the
        record was looked at: perhaps it was this very request that took the last credits."""
        if asked.idempotency is None or asked.idempotency.overwrite:
            return None
        ids = self.store.idempotency.find(asked.idempotency)
        return self._earlier(asked, ids) if ids is not None else None

    def _accept(self, asked: AcceptanceAttempt) -> Item | None:
        for _ in range(ATTEMPTS):
            refusal = self._attempt(asked)
            if refusal is None:
                return None
            if refusal.earlier is not None:
                earlier = self._earlier(asked, refusal.earlier)
                if earlier is not None:
                    return earlier
                continue
            if self._brand_changed(asked, refusal):
                continue
            if refusal.cap_reached:
                raise self._cap_reached(asked)
            if self._learn_limits(asked, refusal) and refusal.credits_short:
                self._learn_balances(asked, refusal)
        raise StoreUnavailable("transact_write_items", "the organization is too contended")

    def _attempt(self, asked: AcceptanceAttempt) -> Refusal | None:
        job, now = asked.job, int(asked.now)
        if job["credits"]:
            draws = asked.draws or self.wallet.draws(asked.org_id, job["credits"], asked.now)
            if draws is None:
                raise OutOfCredits
            job["draws"] = dict(draws)
        asked.turns = self._turns(asked)
        brand = self._pin(asked)
        refusal = self.store.accept(
            job,
            brand=[self.brands.check(asked.org_id, brand)] if brand else [],
            limits=[turn.action() for turn in asked.turns],
            cap=self._cap(asked.principal),
            reserve=self.credits.reserve(reservation(job), now) if job["credits"] else [],
            record=asked.idempotency,
        )
        if refusal is None:
            for turn in asked.turns:
                turn.committed()
            self.wallet.taken(asked.org_id, job.get("draws") or {})
        return refusal

    def _pin(self, asked: AcceptanceAttempt) -> BrandSnapshot | None:
        """Put the brand into the job, as far as this process knows it. Raises BrandMissing."""
        if not asked.job["brand_id"]:
            return None
        brand = self.brands.of(asked.org_id, asked.job["brand_id"])
        if brand is None:
            raise BrandMissing
        asked.job["brand"] = brand
        return brand

    def _brand_changed(self, asked: AcceptanceAttempt, refusal: Refusal) -> bool:
        """Take in the brand as it stands, if that is what refused."""
        refused, brand = refusal.brand
        if refused:
            self.brands.learn(asked.org_id, asked.job["brand_id"], brand)
        return refused

    def _turns(self, asked: AcceptanceAttempt) -> list[RateLimitAttempt]:
        """The limits that count beyond the caller's own: of the organization, and of the end user
        whatever session it is."""
        principal = asked.principal
        known = self.wallet.known(asked.org_id)
        whole = POLICIES["organization-generations"].under(known.terms)
        now_ms = int(asked.now * 1000)
        turns = [
            self.credits.turn(
                asked.org_id,
                self.wallet.choose(whole.parts(known.shards)),
                whole.share(known.shards),
                now_ms,
                known.rev,
            )
        ]
        if principal.end_user is not None:
            subject = f"{asked.org_id}#{hash_of(principal.end_user.id)}"
            turns.append(self.counters.turn(subject, POLICIES["end-user-generations"], now_ms))
        return turns

    def _cap(self, principal: Principal) -> list[Action]:
        user = principal.end_user
        if user is None or user.max_generations is None:
            return []
        return [self.end_users.count_action(user)]

    def _earlier(self, asked: AcceptanceAttempt, ids: Ids) -> Item | None:
        """The job an earlier request made; None when a client without a key may have another."""
        if asked.idempotency is None:
            raise LookupError("a replay without an idempotency key")
        job = self.store.get(asked.org_id, ids["generation_id"])
        if asked.idempotency.secret:
            if job is None:
                raise not_found("generation")
            return job
        if job is not None and job["status"] not in ("failed", "canceled"):
            return job
        # What failed or is gone is no answer to a client that only said it is trying again.
        asked.idempotency = replace(asked.idempotency, overwrite=True)
        return None

    def _learn_limits(self, asked: AcceptanceAttempt, refusal: Refusal) -> bool:
        """Take in what stood at the limits. False when the plan was another one than thought, and
        with it perhaps the balances. Raises Limited."""
        asked.draws = None
        try:
            for turn, (refused, item) in zip(asked.turns, refusal.limits, strict=True):
                if refused:
                    turn.learn(item)
        except GuardFailed as failure:
            self.wallet.learn_plan(asked.org_id, failure.item)
            return False
        return True

    def _learn_balances(self, asked: AcceptanceAttempt, refusal: Refusal) -> None:
        """Read the balances, unless what refused was the one there is. Raises OutOfCredits."""
        if self.wallet.known(asked.org_id).rev is None and refusal.balance is not None:
            raise OutOfCredits
        asked.draws = self.wallet.read(asked.org_id, asked.job["credits"], asked.now)
        if asked.draws is None:
            raise OutOfCredits

    def _cap_reached(self, asked: AcceptanceAttempt) -> Problem:
        self._denied("session.cap_reached", asked)
        return Problem("generation_cap_reached", "This session has used all of its generations.")

    def _out_of_credits(self, asked: AcceptanceAttempt) -> Problem:
        self._denied("quota.denied", asked)
        self.quota_alerts.denied(asked.org_id, asked.now)
        cost = asked.job["credits"]
        return Problem(
            "insufficient_credits",
            f"This costs {cost} {'credit' if cost == 1 else 'credits'}, "
            "more than the organization has left.",
        )

    def _denied(self, event: str, asked: AcceptanceAttempt) -> None:
        self.security.record(
            event, "denied", asked.origin, org_id=asked.org_id, actor=asked.principal.actor
        )
