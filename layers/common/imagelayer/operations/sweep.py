"""The sweep: frees what is stuck and removes what is past its 72 hours.

Safe to run twice at once and to die anywhere: every decision is a conditional write on what was
read, and every removal is finished by the next run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from imagelayer.audit.security_log import SecurityLog
from imagelayer.credits.store import CreditStore
from imagelayer.generations.generations import objects_of
from imagelayer.generations.jobs import release_actions
from imagelayer.generations.store import GenerationStore
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.store import AccountStore
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.queue import Queue
from imagelayer.platform.table import SWEEP_SHARDS, Item, StoreUnavailable
from imagelayer.webhooks.outbox import WebhookOutbox

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
    unconfirmed: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Cleanup:
    """The use case of one scheduled event."""

    store: GenerationStore
    accounts: AccountStore
    credits: CreditStore
    media: ObjectStore
    queue: Queue
    webhooks: WebhookOutbox
    security: SecurityLog
    warn: Callable[[str], None]

    def sweep(self, now: float) -> dict[str, int]:
        """Look at everything that is due; what cannot be dealt with does not stop the rest."""
        swept = Swept()
        for shard in range(SWEEP_SHARDS):
            self._each(self.store.due, shard, self._job, int(now), swept)
            self._each(self.accounts.due, shard, self._sign_up, int(now), swept)
        return asdict(swept)

    def _each(
        self,
        due: Callable[[int, int], list[Item]],
        shard: int,
        deal_with: Callable[[Item, int, Swept], None],
        now: int,
        swept: Swept,
    ) -> None:
        try:
            items = due(shard, now)
        except StoreUnavailable as fault:
            swept.failed += 1
            self.warn(f"a shard could not be read: {fault.operation} {fault.reason}")
            return
        for item in items:
            try:
                deal_with(item, now, swept)
            except Exception as fault:  # noqa: BLE001
                # Whatever is wrong with one item, the others' media must still be removed.
                swept.failed += 1
                # Of an unforeseen fault only its kind is told: its text could quote the item.
                told = str(fault) if isinstance(fault, StoreUnavailable) else ""
                self.warn(f"an item could not be swept: {type(fault).__name__} {told}".strip())

    def _sign_up(self, user: Item, now: int, swept: Swept) -> None:
        """Free an address that nobody has confirmed, unless a newer sign-up for it still waits."""
        waits_until = (user.get("pending") or {}).get("expires_at", 0)
        if waits_until > now:
            self.accounts.postpone(user, waits_until)
        elif self.accounts.drop_unconfirmed(user, address_hash(user["email"]), now):
            swept.unconfirmed += 1
            self.security.record(
                "account.removed",
                "success",
                org_id=user["org_id"],
                actor="sweep",
                reason=user["id"],
            )

    def _job(self, job: Item, now: int, swept: Swept) -> None:
        if job["status"] in ("queued", "running"):
            requeues = job.get("requeues", 0)
            if requeues < MAX_REQUEUES and job["expires_at"] > now:
                if self.store.requeue(job, now + REQUEUE_SECONDS * 2**requeues):
                    message = {"org_id": job["org_id"], "generation_id": job["id"]}
                    self.queue.send(message, group=job["org_id"])
                    swept.requeued += 1
                return
            ended = self.webhooks.job_ended(job, "generation.failed", now, error="timed_out")
            release = [*release_actions(self.credits, job, now), *ended.actions]
            if self.store.fail(
                job, "timed_out", "The generation did not finish in time.", release, now
            ):
                ended.send()
                swept.released += 1
            return
        if job["expires_at"] <= now:
            self._remove(job)
            swept.deleted += 1

    def _remove(self, job: Item) -> None:
        """Media first, records last: as long as a record is there, the next sweep finds it."""
        for key in objects_of(job, self.store):
            self.media.delete(key)
        self.store.forget(job)
        self.security.record(
            "media.deleted", "success", org_id=job["org_id"], actor="sweep", reason=job["id"]
        )
