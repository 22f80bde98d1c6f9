"""The sweep: frees what is stuck and removes what is past its 72 hours.

Safe to run twice at once and to die anywhere: every decision is a conditional write on what was
read, and every removal is finished by the next run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from imagelayer.generations import reservation
from imagelayer.security_events import SecurityLog
from imagelayer.stores.credits import CreditStore
from imagelayer.stores.generations import SWEEP_SHARDS, GenerationStore
from imagelayer.stores.objects import ObjectStore
from imagelayer.stores.queue import Queue
from imagelayer.stores.table import Item, StoreUnavailable

# Pauses of 2, 4, 8 … minutes: a backlog has two hours to drain, and a message that was lost
# is missed for two minutes. Sending one twice is harmless, because workers claim their jobs.
MAX_REQUEUES = 6
REQUEUE_SECONDS = 120


@dataclass
class Swept:
    """What one run did."""

    requeued: int = 0
    released: int = 0
    deleted: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Cleanup:
    """The use case of one scheduled event."""

    store: GenerationStore
    credits: CreditStore
    media: ObjectStore
    queue: Queue
    security: SecurityLog
    warn: Callable[[str], None]

    def sweep(self, now: float) -> dict[str, int]:
        """Look at every job that is due; one that cannot be dealt with does not stop the rest."""
        swept = Swept()
        for shard in range(SWEEP_SHARDS):
            try:
                due = self.store.due(shard, int(now))
            except StoreUnavailable as fault:
                swept.failed += 1
                self.warn(f"a shard could not be read: {fault.operation} {fault.reason}")
                continue
            for job in due:
                try:
                    self._deal_with(job, int(now), swept)
                except Exception as fault:  # noqa: BLE001
                    # Whatever is wrong with one job, the others' media must still be removed.
                    swept.failed += 1
                    # Of an unforeseen fault only its kind is told: its text could quote the job.
                    told = str(fault) if isinstance(fault, StoreUnavailable) else ""
                    self.warn(f"a job could not be swept: {type(fault).__name__} {told}".strip())
        return asdict(swept)

    def _deal_with(self, job: Item, now: int, swept: Swept) -> None:
        if job["status"] in ("queued", "running"):
            requeues = job.get("requeues", 0)
            if requeues < MAX_REQUEUES and job["expires_at"] > now:
                if self.store.requeue(job, now + REQUEUE_SECONDS * 2**requeues):
                    self.queue.send({"org_id": job["org_id"], "generation_id": job["id"]})
                    swept.requeued += 1
                return
            held = reservation(job)
            release = self.credits.release(held, now) if held.amount else []
            if self.store.fail(
                job, "timed_out", "The generation did not finish in time.", release, now
            ):
                swept.released += 1
            return
        if job["expires_at"] <= now:
            self._remove(job)
            swept.deleted += 1

    def _remove(self, job: Item) -> None:
        """Media first, records last: as long as a record is there, the next sweep finds it."""
        for asset in self.store.assets(job["org_id"], job.get("asset_ids", [])):
            self.media.delete(asset["object_key"])
        self.store.forget(job)
        self.security.record(
            "media.deleted", "success", org_id=job["org_id"], actor="sweep", reason=job["id"]
        )
