"""Accepting and reading generations: a request becomes a job with its credits held."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from imagelayer import models
from imagelayer.assets import Assets
from imagelayer.errors import Problem, invalid, not_found
from imagelayer.ids import is_id, new_id
from imagelayer.presets import PRESETS
from imagelayer.principals import Origin, Principal
from imagelayer.quota_alerts import QuotaAlerts
from imagelayer.schemas import CreateGenerationRequest
from imagelayer.security_events import SecurityLog
from imagelayer.stores.brands import BrandStore
from imagelayer.stores.credits import CreditStore, Reservation
from imagelayer.stores.end_user_sessions import EndUserSessionStore
from imagelayer.stores.generations import GenerationStore
from imagelayer.stores.queue import Queue
from imagelayer.stores.table import Item, StoreUnavailable
from imagelayer.times import rfc3339, utc_month

MEDIA_SECONDS = 72 * 3600
QUEUED_SECONDS = 120  # a job still queued after this has probably lost its message
IDEMPOTENCY_SECONDS = 24 * 3600
DEFAULT_SIZE = "1024x1024"
_KEY_SHAPE = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Generations:
    """The use cases of jobs on the request side."""

    store: GenerationStore
    brands: BrandStore
    credits: CreditStore
    end_users: EndUserSessionStore
    queue: Queue
    quota_alerts: QuotaAlerts
    assets: Assets
    security: SecurityLog
    monthly_credits: int
    warn: Callable[[str], None]

    def create(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        body: CreateGenerationRequest,
        idempotency_key: str | None,
    ) -> dict[str, Any]:
        """Accept a generation and return its job. Raises Problem 402, 404, 409 or 422.

        The job is durable once the transaction holds. The message that starts it may be lost
        after that without harm: the sweep sends it again, so the caller is told 202 either way.
        """
        job = self._job(principal, now, body)
        record = _record(idempotency_key, principal, body, job, now)
        accepted = self._accept(principal, origin, job, record, now)
        if accepted is not None:
            return self.view(accepted, now)
        try:
            self.queue.send({"org_id": job["org_id"], "generation_id": job["id"]})
        except StoreUnavailable as fault:
            self.warn(f"a job waits for the sweep: {fault.reason}")
        return self.view(job, now)

    def get(self, principal: Principal, generation_id: str, now: float) -> dict[str, Any]:
        """A job with its images. Raises Problem 404, also once it has expired."""
        known = is_id("gen", generation_id)
        job = self.store.get(principal.org_id, generation_id) if known else None
        if job is None or job["expires_at"] <= now or not principal.sees(job):
            raise not_found("generation")
        return self.view(job, now)

    def page(
        self, principal: Principal, *, limit: int, after: str | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of jobs, newest first, and the id to go on from; images are read one by one."""
        jobs = self.store.page(principal.org_id, limit=limit + 1, after=after)
        page = jobs[:limit]
        shown = [view(job, []) for job in page if job["expires_at"] > now]
        return shown, page[-1]["id"] if len(jobs) > limit else None

    def view(self, job: Item, now: float) -> dict[str, Any]:
        """What the API shows of a job, with fresh links to its images."""
        records = self.store.assets(job["org_id"], job.get("asset_ids", []))
        return view(job, [self.assets.view(record, now) for record in records])

    def _job(self, principal: Principal, now: float, body: CreateGenerationRequest) -> Item:
        model = models.find(body.model)
        width, height = _size(body)
        model.check_size(width, height)
        if not body.prompt.strip():
            raise invalid("body.prompt", "must not be blank")
        if len(body.prompt) > model.max_prompt:
            raise invalid("body.prompt", f"may have at most {model.max_prompt} characters")
        if body.brand_id is not None and not is_id("brd", body.brand_id):
            raise not_found("brand")
        created = int(now)
        return {
            "id": new_id("gen", now),
            "org_id": principal.org_id,
            "actor": principal.actor,
            "end_user_id": principal.end_user.id if principal.end_user else None,
            "status": "queued",
            "prompt": body.prompt,
            "brand_id": body.brand_id,
            "apply_brand_guidelines": body.apply_brand_guidelines,
            "model": model.id,
            "width": width,
            "height": height,
            "n": body.n,
            "output_format": body.output_format,
            "seed": secrets.randbits(32) if body.seed is None else body.seed,
            "logo": body.logo,
            "mode": principal.mode,
            # Test keys make watermarked images of the built-in model, which cost nothing.
            "credits": 0 if principal.mode == "test" else model.credits(width, height, body.n),
            "month": utc_month(now),
            "created_at": created,
            "expires_at": created + MEDIA_SECONDS,
            "sweep_at": created + QUEUED_SECONDS,
        }

    def _accept(
        self, principal: Principal, origin: Origin, job: Item, record: Item | None, now: float
    ) -> Item | None:
        """Commit the job; returns the earlier job when the idempotency key has one."""
        checks = (
            [self.brands.exists_check(job["org_id"], job["brand_id"])] if job["brand_id"] else []
        )
        held = reservation(job)
        reserve = self.credits.reserve(held, int(now)) if held.amount else []
        user = principal.end_user
        capped = user is not None and user.max_generations is not None
        count = [self.end_users.count_action(user)] if user is not None and capped else []
        refusal = self.store.accept(job, record, checks, reserve, count)
        if refusal is not None and refusal.credits_short and refusal.balance is None:
            # The organization's first generation of the month.
            self.credits.open_month(held.org_id, held.month, self.monthly_credits)
            refusal = self.store.accept(job, record, checks, reserve, count)
        if refusal is None:
            return None
        if refusal.record is not None and record is not None:
            return self._replay(principal, record, refusal.record)
        if refusal.brand_missing:
            raise not_found("brand")
        if refusal.cap_reached:
            self.security.record(
                "session.cap_reached",
                "denied",
                origin,
                org_id=job["org_id"],
                actor=principal.actor,
            )
            raise Problem(
                "generation_cap_reached", "This session has made all the generations it may."
            )
        if refusal.credits_short:
            self.security.record(
                "quota.denied", "denied", origin, org_id=job["org_id"], actor=principal.actor
            )
            self.quota_alerts.denied(job["org_id"], job["month"], refusal.balance, now)
            raise Problem(
                "insufficient_credits",
                f"This costs {held.amount} credits, more than this month's allowance has left.",
            )
        raise Problem("conflict", "The request collided with another one; please try again.")

    def _replay(self, principal: Principal, record: Item, earlier: Item) -> Item:
        if earlier["fingerprint"] != record["fingerprint"]:
            raise Problem(
                "idempotency_mismatch", "This Idempotency-Key was used with another body."
            )
        job = self.store.get(principal.org_id, earlier["generation_id"])
        if job is None:
            raise not_found("generation")
        return job


def reservation(job: Mapping[str, Any]) -> Reservation:
    """The credits a job holds."""
    return Reservation(job["org_id"], job["month"], job["id"], job["credits"])


def view(job: Mapping[str, Any], assets: list[dict[str, Any]]) -> dict[str, Any]:
    """What the API shows of a job."""
    return {
        "id": job["id"],
        "status": job["status"],
        "prompt": job["prompt"],
        "brand_id": job.get("brand_id"),
        "model": job["model"],
        "width": job["width"],
        "height": job["height"],
        "n": job["n"],
        "output_format": job["output_format"],
        "mode": job["mode"],
        "credits": job["credits"],
        "created_at": rfc3339(job["created_at"]),
        "expires_at": rfc3339(job["expires_at"]),
        "assets": assets,
        "error": job.get("error"),
    }


def _size(body: CreateGenerationRequest) -> tuple[int, int]:
    if body.preset is not None:
        if body.size is not None:
            raise invalid("body.preset", "excludes size; send one of them")
        if body.preset not in PRESETS:
            raise invalid("body.preset", f"must be one of {', '.join(sorted(PRESETS))}")
        return PRESETS[body.preset]
    width, _, height = (body.size or DEFAULT_SIZE).partition("x")
    return int(width), int(height)


def _record(
    key: str | None,
    principal: Principal,
    body: CreateGenerationRequest,
    job: Mapping[str, Any],
    now: float,
) -> Item | None:
    """The idempotency record for a request that names a key.

    The header is a quoted string by the IETF draft and bare in most clients: both are taken. It is
    stored hashed, with the organization in the partition key, and the body's fingerprint beside.
    """
    if key is None:
        return None
    bare = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not _KEY_SHAPE.fullmatch(bare):
        raise Problem("bad_request", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
    # An end user's keys are that end user's, or they could be used to read another's job.
    whose = principal.end_user.id if principal.end_user else ""
    fingerprint = hashlib.sha256(msgspec.json.encode([body, principal.mode])).hexdigest()
    return {
        "hash": hashlib.sha256(f"createGeneration\x00{whose}\x00{bare}".encode()).hexdigest(),
        "fingerprint": fingerprint,
        "generation_id": job["id"],
        "expires_at": int(now) + IDEMPOTENCY_SECONDS,
        "purge_at": int(now) + IDEMPOTENCY_SECONDS,
    }
