"""Whether a generation may happen, decided and written in one transaction.

The brand exists, the organization and the end user are within their limits, the session is within
its cap, the credits are there, and no earlier request has the same idempotency key: all of it holds
at one moment, or nothing is written. What this process assumes of the plan, the balances and the
limits is checked by the transaction. A refused transaction returns the current items, which either
settle the question or correct the next attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import replace
from typing import TYPE_CHECKING

from imagelayer.access.end_user_session_store import EndUserSessionStore, hash_of
from imagelayer.audit.security_log import SecurityLog
from imagelayer.brands.snapshots import BrandSnapshots
from imagelayer.credits.quota_alerts import QuotaAlerts
from imagelayer.credits.store import CreditStore
from imagelayer.credits.wallet import Wallet
from imagelayer.generations.jobs import reservation
from imagelayer.generations.store import GenerationStore, Refusal
from imagelayer.limits.counters import CounterStore, GuardFailed, RateLimitAttempt
from imagelayer.limits.rate_limits import POLICIES, Limited
from imagelayer.platform.errors import Problem, not_found, used_up
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import IdempotencyRecord, Ids
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import Action, StoreUnavailable
from imagelayer.platform.times import end_of_utc_day, utc_day

if TYPE_CHECKING:
    from imagelayer.brands.records import BrandSnapshot
    from imagelayer.generations.records import Job

# Each attempt but the last means that another request or an operator came first.
ATTEMPTS = 12
MAX_TEST_IMAGES = 500  # of an organization a day, by test keys

Draws = Mapping[str, int]  # credits by the name of the balance they come from


class OutOfCredits(Exception):
    """The balances together are insufficient."""


class BrandMissing(Exception):
    """There is no such brand."""


@frozen
class Accepted:
    """A job, and whether an earlier request created it."""

    job: Job
    replayed: bool = False


@frozen
class AcceptanceRequest:
    """Who wants which job."""

    principal: Principal
    origin: Origin
    job: Job
    idempotency: IdempotencyRecord | None
    now: float

    @property
    def org_id(self) -> str:
        """The caller's organization."""
        return self.job["org_id"]


@frozen
class AcceptanceAttempt:
    """One try, with what this process assumes: the job with its brand and the balances it draws
    from, and the write of each limit."""

    job: Job
    limits: Sequence[RateLimitAttempt]

    @property
    def brand(self) -> BrandSnapshot | None:
        """The brand the job is made with."""
        return self.job.get("brand")


@frozen
class Acceptance:
    """Accepts jobs."""

    store: GenerationStore
    brands: BrandSnapshots
    credits: CreditStore
    wallet: Wallet
    counters: CounterStore
    end_user_sessions: EndUserSessionStore
    quota_alerts: QuotaAlerts
    security: SecurityLog

    def accept(
        self,
        principal: Principal,
        origin: Origin,
        job: Job,
        idempotency: IdempotencyRecord | None,
        now: float,
    ) -> Accepted:
        """Commit a job, or find the one of an earlier request with the same idempotency key.

        Raises Problem 402, 403, 404, 409 or 422, Limited, or StoreUnavailable.
        """
        request = AcceptanceRequest(principal, origin, job, idempotency, now)
        try:
            return self._accept(request)
        except (OutOfCredits, BrandMissing, Limited) as refusal:
            # Refused by what this process knows, before the idempotency record was read: perhaps
            # this very request took the last credits.
            earlier = self._find_earlier(request)
            if earlier is not None:
                return earlier
            if isinstance(refusal, OutOfCredits):
                raise self._out_of_credits(request) from None
            if isinstance(refusal, BrandMissing):
                raise _no_brand(request) from None
            raise

    def _find_earlier(self, request: AcceptanceRequest) -> Accepted | None:
        record = request.idempotency
        if record is None or record.overwrite:
            return None
        ids = self.store.idempotency.find(record)
        return self._earlier(request, ids) if ids is not None else None

    def _accept(self, request: AcceptanceRequest) -> Accepted:
        draws: Draws | None = None
        for _ in range(ATTEMPTS):
            attempt = self._prepare(request, draws)
            refusal = self._commit(request, attempt)
            if refusal is None:
                return Accepted(attempt.job)
            if refusal.earlier is not None:
                earlier = self._earlier(request, refusal.earlier)
                if earlier is not None:
                    return earlier
                request = _overwriting(request)
            elif refusal.brand[0]:
                self._learn_brand(request, refusal)
            elif refusal.cap_reached:
                raise self._cap_reached(request)
            elif refusal.allowance_used:
                raise self._test_images_used(request)
            else:
                draws = self._learn(request, attempt, refusal)
        raise StoreUnavailable("transact_write_items", "the organization is too contended")

    def _prepare(self, request: AcceptanceRequest, draws: Draws | None) -> AcceptanceAttempt:
        """The next attempt, from what this process knows; `draws` are from balances that were read.

        Raises OutOfCredits, BrandMissing or Limited.
        """
        job: Job = {**request.job}
        if job["credits"]:
            chosen = draws or self.wallet.draws(request.org_id, job["credits"], request.now)
            if chosen is None:
                raise OutOfCredits
            job["draws"] = dict(chosen)
        limits = self._limits(request)
        brand_id = job.get("brand_id")
        if brand_id:
            brand = self.brands.of(request.org_id, brand_id)
            if brand is None:
                raise BrandMissing
            job["brand"] = brand
        return AcceptanceAttempt(job, limits)

    def _commit(self, request: AcceptanceRequest, attempt: AcceptanceAttempt) -> Refusal | None:
        job, brand, now = attempt.job, attempt.brand, int(request.now)
        refusal = self.store.create_generation(
            job,
            brand=[self.brands.check(request.org_id, brand)] if brand else [],
            limits=[limit.action() for limit in attempt.limits],
            cap=self._cap(request.principal),
            allowance=self._allowance(request),
            reserve=self.credits.reserve(reservation(job), now) if job["credits"] else [],
            record=request.idempotency,
        )
        if refusal is None:
            for limit in attempt.limits:
                limit.committed()
            self.wallet.taken(request.org_id, job.get("draws") or {})
        return refusal

    def _limits(self, request: AcceptanceRequest) -> list[RateLimitAttempt]:
        """The limits beyond the caller's own: of the organization, and of the end user across all
        of their sessions."""
        principal = request.principal
        known = self.wallet.known(request.org_id)
        whole = POLICIES["organization-generations"].under(known.terms)
        now_ms = int(request.now * 1000)
        limits = [
            self.credits.limit_attempt(
                request.org_id,
                self.wallet.choose(whole.parts(known.shards)),
                whole.share(known.shards),
                now_ms,
                known.rev,
            )
        ]
        if principal.end_user is not None:
            subject = f"{request.org_id}#{hash_of(principal.end_user.id)}"
            limits.append(
                self.counters.limit_attempt(subject, POLICIES["end-user-generations"], now_ms)
            )
        return limits

    def _cap(self, principal: Principal) -> list[Action]:
        user = principal.end_user
        if user is None or user.max_generations is None:
            return []
        return [self.end_user_sessions.count_generation_action(principal.org_id, user)]

    def _allowance(self, request: AcceptanceRequest) -> list[Action]:
        """Images of test keys cost no credits, so a number a day bounds the work and the storage
        of an organization that pays nothing."""
        if request.job["mode"] != "test":
            return []
        now = request.now
        return [
            self.counters.take_action(
                "test-images",
                request.org_id,
                utc_day(now),
                amount=request.job["n"],
                limit=MAX_TEST_IMAGES,
                expires_at=end_of_utc_day(now) + 86_400,
            )
        ]

    def _earlier(self, request: AcceptanceRequest, ids: Ids) -> Accepted | None:
        """The job an earlier request created; None when a client without a key may have another."""
        job = self.store.get_generation(request.org_id, ids["generation_id"])
        if request.idempotency is not None and request.idempotency.key:
            if job is None:
                raise not_found("generation")
            return Accepted(job, replayed=True)
        if job is not None and job["status"] not in ("failed", "canceled"):
            return Accepted(job, replayed=True)
        # A failed or deleted job does not answer a client that only says it is trying again.
        return None

    def _learn_brand(self, request: AcceptanceRequest, refusal: Refusal) -> None:
        """Take in the current brand, which refused the attempt."""
        _, brand = refusal.brand
        self.brands.learn(request.org_id, str(request.job.get("brand_id")), brand)

    def _learn(
        self, request: AcceptanceRequest, attempt: AcceptanceAttempt, refusal: Refusal
    ) -> Draws | None:
        """Take in the current limits, plan and balances; returns draws if balances were read.

        Raises Limited or OutOfCredits.
        """
        try:
            for limit, (refused, item) in zip(attempt.limits, refusal.limits, strict=True):
                if refused:
                    limit.learn(item)
        except GuardFailed as failure:
            # The plan was not the assumed one, and with it perhaps the balances.
            self.wallet.learn_plan(request.org_id, failure.item)
            return None
        if not refusal.credits_short:
            return None
        if self.wallet.known(request.org_id).rev is None and refusal.balance is not None:
            raise OutOfCredits  # without a plan there is one balance, and it refused
        draws = self.wallet.read(request.org_id, request.job["credits"], request.now)
        if draws is None:
            raise OutOfCredits
        return draws

    def _cap_reached(self, request: AcceptanceRequest) -> Problem:
        self._denied("session.cap_reached", request)
        return Problem("generation_cap_reached", "This session has reached its generation limit.")

    def _test_images_used(self, request: AcceptanceRequest) -> Problem:
        self._denied("quota.denied", request)
        return used_up(
            "test_image_limit",
            "test-images",
            MAX_TEST_IMAGES,
            f"An organization can make {MAX_TEST_IMAGES} images a day with test keys. "
            "Use a live key, or go on tomorrow.",
            end_of_utc_day(request.now) - int(request.now),
        )

    def _out_of_credits(self, request: AcceptanceRequest) -> Problem:
        self._denied("quota.denied", request)
        self.quota_alerts.denied(request.org_id, request.now)
        cost = request.job["credits"]
        return Problem(
            "insufficient_credits",
            f"This costs {cost} {'credit' if cost == 1 else 'credits'}, "
            "more than the organization has left.",
        )

    def _denied(self, event: str, request: AcceptanceRequest) -> None:
        self.security.by(request.principal, request.origin).record(event, "denied")


def _overwriting(request: AcceptanceRequest) -> AcceptanceRequest:
    """The same request, whose idempotency record replaces the earlier one."""
    record = request.idempotency
    return replace(request, idempotency=record and replace(record, overwrite=True))


def _no_brand(request: AcceptanceRequest) -> Problem:
    """What to say of a brand that does not exist, also to a caller who named none."""
    default = request.principal.default_brand_id
    if default is None or request.job["brand_id"] != default:
        return not_found("brand")
    return Problem("not_found", "There is no such brand. It is the key's default_brand_id.")
