"""The sweep's part for jobs: retries or fails stuck jobs and removes expired ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from imagelayer.audit.security_log import SecurityLog
from imagelayer.credits.store import CreditStore
from imagelayer.generations.announcements import announce_end
from imagelayer.generations.jobs import closing_actions
from imagelayer.generations.removal import remove
from imagelayer.generations.store import GenerationStore
from imagelayer.platform.frozen import frozen
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.queue import Queue
from imagelayer.platform.sweeping import sweep_due
from imagelayer.platform.table import SWEEP_PAGE
from imagelayer.webhooks.outbox import WebhookOutbox

if TYPE_CHECKING:
    from imagelayer.generations.records import Job

# Pauses of 2, 4, 8 … minutes: a backlog has two hours to drain, and a lost message is replaced
# after two minutes. Sending one twice is harmless, because workers lease their jobs.
MAX_REQUEUES = 6
REQUEUE_SECONDS = 120
# How long a run goes on while a page is full. With the round that it began last it stays below the
# function's timeout; one that is ended anywhere leaves the rest to the next run.
SWEEP_SECONDS = 200


@frozen
class GenerationSweep:
    """The use case of one scheduled event."""

    store: GenerationStore
    credits: CreditStore
    media: ObjectStore
    queue: Queue
    webhooks: WebhookOutbox
    security: SecurityLog
    warn: Callable[[str], None]
    clock: Callable[[], float]

    def sweep(self, now: float) -> dict[str, int]:
        """Deal with every job that is due: requeue, fail or delete it.

        In each round the stuck jobs come first, because their callers wait. A removal can be late:
        what has expired cannot be read.
        """
        outcomes = ("requeued", "released", "deleted")
        total: Counter[str] = Counter()
        while True:
            dealt = 0
            for due in (self.store.due, self.store.expired):
                swept = sweep_due(due, self._job, now, outcomes=outcomes, warn=self.warn)
                total.update(swept)
                dealt = max(dealt, sum(swept[outcome] for outcome in outcomes))
            if dealt < SWEEP_PAGE or self.clock() >= now + SWEEP_SECONDS:
                return dict(total)

    def _job(self, job: Job, now: int) -> str | None:
        if job["status"] in ("queued", "running"):
            if job.get("requeues", 0) < MAX_REQUEUES and job["expires_at"] > now:
                return self._requeue(job, now)
            return self._give_up(job, now)
        return self._remove(job) if job["expires_at"] <= now else None

    def _requeue(self, job: Job, now: int) -> str | None:
        if not self.store.requeue(job, now + REQUEUE_SECONDS * 2 ** job.get("requeues", 0)):
            return None
        message = {"org_id": job["org_id"], "generation_id": job["id"]}
        self.queue.send(message, group=job["org_id"])
        return "requeued"

    def _give_up(self, job: Job, now: int) -> str | None:
        # That it did not finish is our failure, not its caller's: free, whatever was asked for.
        ended: Job = {**job, "credits": 0}
        end = announce_end(self.webhooks, ended, "failed", now, error="timed_out")
        closing = [*closing_actions(self.credits, job, 0, now), *end.actions]
        message = "The generation did not finish in time."
        if not self.store.fail(job, "timed_out", message, closing, now):
            return None
        end.send()
        return "released"

    def _remove(self, job: Job) -> str:
        remove(self.store, self.media, job)
        self.security.record(
            "media.deleted", "success", org_id=job["org_id"], actor="sweep", reason=job["id"]
        )
        return "deleted"
