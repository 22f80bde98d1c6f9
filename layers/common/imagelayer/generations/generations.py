"""Accepting, reading and ending generations: a request becomes a job with its credits held."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagelayer.credits.store import CreditStore
from imagelayer.generations.acceptance import Acceptance
from imagelayer.generations.announcements import announce_end
from imagelayer.generations.assets import Assets
from imagelayer.generations.jobs import DONE, GenerationRequest, new_job, release_actions, view
from imagelayer.generations.store import GenerationStore
from imagelayer.image_models.registry import Registry
from imagelayer.limits.rate_limits import Limited
from imagelayer.platform.errors import Problem, not_found
from imagelayer.platform.idempotency import Created, IdempotencyRecord
from imagelayer.platform.ids import is_id
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.queue import Queue
from imagelayer.platform.table import Item, StoreUnavailable
from imagelayer.webhooks.outbox import WebhookOutbox

if TYPE_CHECKING:
    from imagelayer.generations.schemas import CreateGenerationRequest

CANCEL_ATTEMPTS = 4
# A job that is still queued when its request comes again, so much later, may lack its message.
UNSENT_SECONDS = 2
# The gateway gives up after 30 seconds (API Gateway, HTTP API quotas).
MAX_WAIT_SECONDS = 25
# Lambda answers 6 MB at most; beside the prompts a job is small.
MAX_PAGE_BYTES = 4_000_000
# The first look comes soon, for the built-in model; then less and less often.
_PAUSES = (0.15, 0.2, 0.3, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Generations:
    """The use cases of jobs on the request side."""

    store: GenerationStore
    acceptance: Acceptance
    credits: CreditStore
    queue: Queue
    assets: Assets
    media: ObjectStore
    models: Registry
    webhooks: WebhookOutbox
    warn: Callable[[str], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def create(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        body: CreateGenerationRequest,
        idempotency: IdempotencyRecord | None = None,
        wait: float = 0,
    ) -> Created:
        """Accept a generation and answer with its job, waited for if asked. Raises as `accept`."""
        request = GenerationRequest(
            prompt=body.prompt,
            branded=body,
            model=body.model,
            size=body.size,
            n=body.n,
            output_format=body.output_format,
            quality=body.quality,
        )
        accepted, replayed = self.accept(principal, origin, now, request, idempotency)
        if not wait:
            return Created(self.view(accepted, now), replayed)
        try:
            return Created(self.view(self.wait(accepted, wait), self.clock()), replayed)
        except StoreUnavailable as fault:
            # The job is accepted, and a caller without a key who is told otherwise pays twice.
            self.warn(f"a job is not waited for: {fault.reason}")
            return Created(self.view(accepted, now), replayed)

    def accept(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        request: GenerationRequest,
        idempotency: IdempotencyRecord | None,
    ) -> tuple[Item, bool]:
        """Accept a generation; returns its job, and whether an earlier request had made it.

        Raises Problem 402, 404, 409 or 422, or Limited. The job is durable once the transaction
        holds. The message that starts it may be lost after that without harm: the sweep sends it
        again, so the caller is told 202 either way.
        """
        job = new_job(self.models, principal, now, request)
        if request.source is not None:
            # Before the job, so that no job lacks its picture. One that nobody comes for, because
            # the request dies here, is removed by the bucket's lifecycle.
            self.media.put(
                job["source_key"], request.source, content_type="application/octet-stream"
            )
        record = idempotency and idempotency.creating(generation_id=job["id"])
        try:
            earlier = self.acceptance.accept(principal, origin, job, record, now)
        except (Problem, Limited):
            # Not when the store could not answer: then the job may be there all the same.
            self._drop_source(job)
            raise
        if earlier is not None:
            self._drop_source(job)
            if earlier["status"] == "queued" and now - earlier["created_at"] >= UNSENT_SECONDS:
                # The earlier request may have died before it sent the message. A second one is
                # harmless, because workers claim their jobs.
                self._send(earlier)
            return earlier, True
        self._send(job)
        return job, False

    def _send(self, job: Item) -> None:
        try:
            # By organization: the jobs of one must not keep those of the others waiting.
            message = {"org_id": job["org_id"], "generation_id": job["id"]}
            self.queue.send(message, group=job["org_id"])
        except StoreUnavailable as fault:
            self.warn(f"a job waits for the sweep: {fault.reason}")

    def _drop_source(self, job: Item) -> None:
        if "source_key" in job:
            try:
                self.media.delete(job["source_key"])
            except StoreUnavailable as fault:
                self.warn(f"a picture waits for the bucket's lifecycle: {fault.reason}")

    def wait(self, job: Item, seconds: float) -> Item:
        """The job when it is done, or as it stands after `seconds` of waiting, 25 at most."""
        until = self.clock() + min(seconds, MAX_WAIT_SECONDS)
        pauses = iter(_PAUSES)
        pause = 0.0
        while job["status"] not in DONE and self.clock() < until:
            pause = next(pauses, pause)
            self.sleep(min(pause, max(0.0, until - self.clock())))
            current = self.store.get(job["org_id"], job["id"])
            if current is None:
                raise not_found("generation")
            job = current
        return job

    def cancel(self, principal: Principal, generation_id: str, now: float) -> dict[str, Any]:
        """Stop a job that has not finished and give its credits back. Raises Problem 404 or 409.

        Canceling a canceled job answers the same again. A worker that is on it finds its claim gone
        and removes what it made; one that settles at the same moment wins or loses by the job's
        state, in one transaction with the credits either way.
        """
        job = self._stopped(principal, generation_id, now)
        if job["status"] != "canceled":
            raise Problem("conflict", "The generation has finished.")
        return self.view(job, now)

    def _stopped(self, principal: Principal, generation_id: str, now: float) -> Item:
        """The job once it is done: canceled here, unless it was done before."""
        for _ in range(CANCEL_ATTEMPTS):
            job = self.need(principal, generation_id, now)
            if job["status"] in DONE:
                return job
            release = release_actions(self.credits, job, int(now))
            end = announce_end(self.webhooks, job, "canceled", now)
            if self.store.cancel(job, [*release, *end.actions], int(now)):
                end.send()
                return {**job, "status": "canceled"}
        raise Problem("conflict", "The generation is being changed by other requests. Try again.")

    def delete(self, principal: Principal, generation_id: str, now: float) -> None:
        """Remove a job, its prompt and its images at once. Raises Problem 404.

        One that has not finished is canceled first, so its credits come back. The records go last,
        so a delete that dies half way is finished by calling it again. A worker that is on the job
        meanwhile cannot settle it and removes what it made.
        """
        job = self.need(principal, generation_id, now)
        if job["status"] not in DONE:
            job = self._stopped(principal, generation_id, now)
        for key in objects_of(job, self.store):
            self.media.delete(key)
        self.store.forget(job)

    def get(
        self, principal: Principal, generation_id: str, now: float, wait: float = 0
    ) -> dict[str, Any]:
        """A job with its images, waited for if asked. Raises Problem 404, also once it has
        expired."""
        job = self.wait(self.need(principal, generation_id, now), wait)
        return self.view(job, self.clock() if wait else now)

    def page(
        self, principal: Principal, *, limit: int, after: str | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of jobs, newest first, and the id to go on from; images are read one by one.

        It is shorter than `limit` where long prompts would not fit an answer.
        """
        jobs = self.store.page(principal.org_id, limit=limit + 1, after=after)
        page = jobs[: min(limit, _fitting(jobs))]
        shown = [view(job, []) for job in page if job["expires_at"] > now]
        return shown, page[-1]["id"] if len(jobs) > len(page) else None

    def view(self, job: Item, now: float) -> dict[str, Any]:
        """What the API shows of a job, with fresh links to its images."""
        records = self.store.assets(job["org_id"], job.get("asset_ids", []))
        return view(job, [self.assets.view(record, now) for record in records])

    def need(self, principal: Principal, generation_id: str, now: float) -> Item:
        """A job of the caller's. Raises Problem 404, also once it has expired."""
        known = is_id("gen", generation_id)
        job = self.store.get(principal.org_id, generation_id) if known else None
        if job is None or job["expires_at"] <= now or not principal.sees(job):
            raise not_found("generation")
        return job


def _fitting(jobs: Sequence[Item]) -> int:
    """How many of the jobs fit an answer, one at least."""
    room = MAX_PAGE_BYTES
    for count, job in enumerate(jobs):
        room -= len(json.dumps(job["prompt"]))  # what is not ASCII is longer here than on the wire
        if room < 0:
            return max(1, count)
    return len(jobs)


def objects_of(job: Item, store: GenerationStore) -> list[str]:
    """The keys of everything a job has in the media bucket."""
    assets = store.assets(job["org_id"], job.get("asset_ids", []))
    source = [job["source_key"]] if job.get("source_key") else []
    return [*source, *(asset["object_key"] for asset in assets)]
