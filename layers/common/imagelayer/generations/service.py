"""Generations: accepting, reading, waiting for and ending them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imagelayer.credits.quota_alerts import QuotaAlerts
from imagelayer.credits.store import CreditStore
from imagelayer.generations.acceptance import Acceptance, Accepted
from imagelayer.generations.announcements import announce_end
from imagelayer.generations.assets import Assets
from imagelayer.generations.jobs import (
    DONE,
    GenerationRequest,
    closing_actions,
    cost_of_asked,
    new_job,
    view,
)
from imagelayer.generations.parameters import MOST_SECONDS
from imagelayer.generations.removal import remove
from imagelayer.generations.store import GenerationStore
from imagelayer.generations.wait_budget import (
    MAX_END_USER_SECONDS,
    SLICE_SECONDS,
    Charge,
    WaitBudget,
)
from imagelayer.image_models.registry import Registry
from imagelayer.limits.rate_limits import Limited
from imagelayer.platform import pages
from imagelayer.platform.errors import Problem, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import Created, IdempotencyRecord
from imagelayer.platform.ids import is_id
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.queue import Queue
from imagelayer.platform.table import StoreUnavailable
from imagelayer.webhooks.outbox import WebhookOutbox

if TYPE_CHECKING:
    from imagelayer.generations.records import Job
    from imagelayer.generations.schemas import CreateGenerationRequest

CANCEL_ATTEMPTS = 4
# A key lists the jobs of its mode; those of the other are read past, so many pages at most.
LIST_READS = 4
# A job that is still queued when its request is repeated this much later may lack its message.
UNSENT_SECONDS = 2
# The gateway gives up after 30 seconds (API Gateway, HTTP API quotas).
MAX_WAIT_SECONDS = MOST_SECONDS
# A Lambda response has 6 MB at most; apart from the prompts a job is small.
MAX_PAGE_BYTES = 4_000_000
# The first poll comes soon, for the built-in model; then they come less and less often.
_PAUSES = (0.15, 0.2, 0.3, 0.5, 0.75, 1.0)


@frozen
class Waited:
    """A job after a wait, and how it was paid for.

    `charge` is the newest: None when there was nothing to wait for, a Limited when the wait was cut
    short or, with `refused`, never began.
    """

    job: Job
    charge: Charge | None = None
    refused: Limited | None = None


@frozen
class CreatedJob(Created):
    """The answer of a request that creates a job, and how it was waited for, if it was."""

    waited: Waited | None = None


@frozen
class Generations:
    """The use cases of jobs on the request side."""

    store: GenerationStore
    acceptance: Acceptance
    credits: CreditStore
    queue: Queue
    assets: Assets
    media: ObjectStore
    registry: Registry
    webhooks: WebhookOutbox
    wait_budget: WaitBudget
    quota_alerts: QuotaAlerts
    warn: Callable[[str], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def create_generation(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        body: CreateGenerationRequest,
        idempotency: IdempotencyRecord | None = None,
        wait: float = 0,
    ) -> CreatedJob:
        """Accept a generation and return its job, after waiting up to `wait` seconds for its end.

        Raises as `accept`.
        """
        request = GenerationRequest(
            prompt=body.prompt,
            branded=body,
            model=body.model,
            size=body.size,
            n=body.n,
            output_format=body.output_format,
            quality=body.quality,
        )
        accepted = self.accept(principal, origin, now, request, idempotency)
        job, replayed = accepted.job, accepted.replayed
        if not wait:
            return CreatedJob(self.view(job, now), replayed)
        try:
            waited = self.wait_for(principal, job, wait)
            return CreatedJob(self.view(waited.job, self.clock()), replayed, waited)
        except StoreUnavailable as fault:
            # The job is accepted; after an error a caller without a key would pay twice.
            self.warn(f"a job is not waited for: {fault.reason}")
            return CreatedJob(self.view(job, now), replayed)

    def accept(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        request: GenerationRequest,
        idempotency: IdempotencyRecord | None,
    ) -> Accepted:
        """Accept a generation, or find the job of an earlier request.

        Raises Problem 402, 403, 404, 409 or 422, or Limited. The job is durable once the
        transaction is committed. The message that starts it may be lost after that without harm:
        the sweep sends it again, so the caller gets 202 either way.
        """
        job = new_job(self.registry, principal, now, request)
        if request.source is not None:
            # Before the job, so that no job lacks its picture. If the request dies here, the
            # bucket's lifecycle removes the picture.
            self.media.put(
                job["source_key"], request.source, content_type="application/octet-stream"
            )
        record = idempotency and idempotency.creating(generation_id=job["id"])
        try:
            accepted = self.acceptance.accept(principal, origin, job, record, now)
        except (Problem, Limited):
            # Not when the store did not answer: then the job may exist all the same.
            self._drop_source(job)
            raise
        if not accepted.replayed:
            self._send(accepted.job)
            return accepted
        self._drop_source(job)
        earlier = accepted.job
        if earlier["status"] == "queued" and now - earlier["created_at"] >= UNSENT_SECONDS:
            # The earlier request may have died before it sent the message. A second one is
            # harmless, because workers lease their jobs.
            self._send(earlier)
        return accepted

    def _send(self, job: Job) -> None:
        try:
            # Grouped by organization: one organization's jobs must not delay those of others.
            message = {"org_id": job["org_id"], "generation_id": job["id"]}
            self.queue.send(message, group=job["org_id"])
        except StoreUnavailable as fault:
            self.warn(f"a job waits for the sweep: {fault.reason}")

    def _drop_source(self, job: Job) -> None:
        if "source_key" in job:
            try:
                self.media.delete(job["source_key"])
            except StoreUnavailable as fault:
                self.warn(f"a picture waits for the bucket's lifecycle: {fault.reason}")

    def wait_for(self, principal: Principal, job: Job, seconds: float) -> Waited:
        """The job when it is done, or its state after `seconds` of waiting: 25 at most, for an end
        user 10. The wait ends early when no more of it can be paid for.

        Raises Problem 404 when it is deleted, or StoreUnavailable.
        """
        paid_until = self.clock()
        until = paid_until + min(seconds, longest_wait(principal))
        pauses = iter(_PAUSES)
        pause, charge = 0.0, None
        while job["status"] not in DONE and self.clock() < until:
            if self.clock() >= paid_until:
                first, charge = charge is None, self.wait_budget.pay(principal, self.clock())
                if isinstance(charge, Limited):
                    return Waited(job, charge, refused=charge if first else None)
                paid_until += SLICE_SECONDS
            pause = next(pauses, pause)
            self.sleep(min(pause, max(0.0, until - self.clock())))
            current = self.store.get_generation(job["org_id"], job["id"])
            if current is None:
                raise not_found("generation")
            job = current
        return Waited(job, charge)

    def cancel_generation(
        self, principal: Principal, generation_id: str, now: float
    ) -> dict[str, Any]:
        """Stop a job that has not finished. Raises Problem 404 or 409.

        The images that a provider was asked for are charged, because the provider charges them; the
        other credits come back. Canceling a canceled job has the same answer. A worker that runs it
        finds its lease gone and removes what it made; one that settles at the same moment wins or
        loses by the job's state, in one transaction with the credits either way.
        """
        job = self._stopped(principal, generation_id, now)
        if job["status"] != "canceled":
            raise Problem("conflict", "The generation has finished.")
        return self.view(job, now)

    def _stopped(self, principal: Principal, generation_id: str, now: float) -> Job:
        """The job once it is done: canceled here, unless it was done before.

        What it costs is decided by `asked` as it is stored, inside the transaction: a worker that
        asks a provider after the job was read here refuses it, and the next attempt charges.
        """
        for _ in range(CANCEL_ATTEMPTS):
            job = self.get_job(principal, generation_id, now)
            if job["status"] in DONE:
                return job
            charge = cost_of_asked(job)
            canceled: Job = {**job, "status": "canceled", "credits": charge}
            end = announce_end(self.webhooks, canceled, "canceled", now)
            closing = [*closing_actions(self.credits, job, charge, int(now)), *end.actions]
            if self.store.cancel_generation(job, closing, int(now), charge=charge):
                end.send()
                if charge:
                    self.quota_alerts.settled(job["org_id"], list(job.get("draws") or {}), now)
                return canceled
        raise Problem("conflict", "The generation is being changed by other requests. Try again.")

    def delete_generation(self, principal: Principal, generation_id: str, now: float) -> None:
        """Remove a job, its prompt and its images at once. Raises Problem 404.

        One that has not finished is canceled first, and charged as a canceled one. The records go
        last, so a delete that dies half way is finished by calling it again. A worker that runs the
        job cannot settle it and removes what it made.
        """
        job = self.get_job(principal, generation_id, now)
        if job["status"] not in DONE:
            job = self._stopped(principal, generation_id, now)
        remove(self.store, self.media, job)

    def get_generation(
        self, principal: Principal, generation_id: str, now: float, wait: float = 0
    ) -> tuple[dict[str, Any], Waited]:
        """A job with its images, after waiting up to `wait` seconds for its end. Raises Problem
        404, also once it has expired."""
        waited = self.wait_for(principal, self.get_job(principal, generation_id, now), wait)
        return self.view(waited.job, self.clock() if wait else now), waited

    def list_generations(
        self, principal: Principal, *, limit: int, after: str | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of jobs without their images, newest first, and the next page's cursor.

        It is shorter than `limit` where long prompts would not fit a response, or where many jobs
        in between are not the caller's to see.
        """
        jobs: list[Job] = []
        more = True
        for _ in range(LIST_READS):
            found = self.store.list_generations(principal.org_id, limit=limit + 1, after=after)
            jobs += [job for job in found if principal.sees(job)]
            more = len(found) > limit
            if not more or len(jobs) > limit:
                break
            after = found[-1]["id"]
        page, cursor = pages.cut(jobs, min(limit, _fitting(jobs)))
        if cursor is None and more:
            cursor = after  # the last one that was read
        return [view(job, []) for job in page if job["expires_at"] > now], cursor

    def view(self, job: Job, now: float) -> dict[str, Any]:
        """What the API shows of a job, with fresh links to its images."""
        return view(job, [self.assets.view(record, now) for record in self.assets.of(job)])

    def get_job(self, principal: Principal, generation_id: str, now: float) -> Job:
        """A job that the caller may see. Raises Problem 404, also once it has expired."""
        known = is_id("gen", generation_id)
        job = self.store.get_generation(principal.org_id, generation_id) if known else None
        if job is None or job["expires_at"] <= now or not principal.sees(job):
            raise not_found("generation")
        return job


def longest_wait(principal: Principal) -> int:
    """Seconds that a caller's request may wait at most."""
    return MAX_WAIT_SECONDS if principal.end_user is None else MAX_END_USER_SECONDS


def _fitting(jobs: Sequence[Job]) -> int:
    """How many of the jobs fit a response, one at least."""
    room = MAX_PAGE_BYTES
    for count, job in enumerate(jobs):
        room -= len(json.dumps(job["prompt"]))  # non-ASCII text is longer here than on the wire
        if room < 0:
            return max(1, count)
    return len(jobs)
