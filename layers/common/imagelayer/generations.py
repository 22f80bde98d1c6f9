"""Accepting and reading generations: a request becomes a job with its credits held."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imagelayer import models
from imagelayer.acceptance import Acceptance, reservation
from imagelayer.assets import Assets
from imagelayer.errors import Problem, invalid, not_found
from imagelayer.idempotency import Made
from imagelayer.ids import is_id, new_id
from imagelayer.presets import PRESETS
from imagelayer.principals import Origin, Principal
from imagelayer.schemas import CreateGenerationRequest
from imagelayer.stores.credits import CreditStore
from imagelayer.stores.generations import GenerationStore
from imagelayer.stores.idempotency import Claim
from imagelayer.stores.queue import Queue
from imagelayer.stores.table import Action, Item, StoreUnavailable
from imagelayer.times import rfc3339, utc_month

MEDIA_SECONDS = 72 * 3600
QUEUED_SECONDS = 120  # a job still queued after this has probably lost its message
DEFAULT_SIZE = "1024x1024"
CANCEL_ATTEMPTS = 4


@dataclass(frozen=True)
class Generations:
    """The use cases of jobs on the request side."""

    store: GenerationStore
    acceptance: Acceptance
    credits: CreditStore
    queue: Queue
    assets: Assets
    warn: Callable[[str], None]

    def create(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        body: CreateGenerationRequest,
        claim: Claim | None = None,
    ) -> Made:
        """Accept a generation and return its job. Raises Problem 402, 404, 409 or 422, or Limited.

        The job is durable once the transaction holds. The message that starts it may be lost
        after that without harm: the sweep sends it again, so the caller is told 202 either way.
        """
        job = self._job(principal, now, body)
        asked = claim and claim.of(generation_id=job["id"])
        earlier = self.acceptance.accept(principal, origin, job, asked, now)
        if earlier is not None:
            return Made(self.view(earlier, now), replayed=True)
        try:
            self.queue.send({"org_id": job["org_id"], "generation_id": job["id"]})
        except StoreUnavailable as fault:
            self.warn(f"a job waits for the sweep: {fault.reason}")
        return Made(self.view(job, now))

    def cancel(self, principal: Principal, generation_id: str, now: float) -> dict[str, Any]:
        """Stop a job that has not finished and give its credits back. Raises Problem 404 or 409.

        Canceling a canceled job answers the same again. A worker that is on it finds its claim gone
        and removes what it made; one that settles at the same moment wins or loses by the job's
        state, in one transaction with the credits either way.
        """
        for _ in range(CANCEL_ATTEMPTS):
            job = self._need(principal, generation_id, now)
            if job["status"] == "canceled":
                return self.view(job, now)
            if job["status"] not in ("queued", "running"):
                raise Problem("conflict", "The generation has finished.")
            canceled = self.store.cancel(
                job, release_actions(self.credits, job, int(now)), int(now)
            )
            if canceled:
                return self.view({**job, "status": "canceled"}, now)
        raise Problem("conflict", "The generation keeps changing; try again.")

    def get(self, principal: Principal, generation_id: str, now: float) -> dict[str, Any]:
        """A job with its images. Raises Problem 404, also once it has expired."""
        return self.view(self._need(principal, generation_id, now), now)

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

    def _need(self, principal: Principal, generation_id: str, now: float) -> Item:
        known = is_id("gen", generation_id)
        job = self.store.get(principal.org_id, generation_id) if known else None
        if job is None or job["expires_at"] <= now or not principal.sees(job):
            raise not_found("generation")
        return job

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
            "key_id": _key_of(principal),
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


def release_actions(credits: CreditStore, job: Item, now: int) -> list[Action]:
    """What gives a job's credits back, inside the transaction that ends it."""
    held = reservation(job)
    return credits.release(held, now) if held.draws else []


def _key_of(principal: Principal) -> str | None:
    """The key behind a request: the one that calls, or that minted the end user's session."""
    if principal.end_user is not None:
        return principal.end_user.key_id
    return principal.actor if principal.kind == "key" else None


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
