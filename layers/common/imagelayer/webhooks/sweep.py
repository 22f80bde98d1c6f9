"""The sweep's part for webhooks: queues again what the queue lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagelayer.platform.queue import Queue
from imagelayer.platform.sweeping import sweep_due
from imagelayer.platform.table import Item
from imagelayer.webhooks.outbox import DeliveryTask
from imagelayer.webhooks.store import OVERDUE_SECONDS, WebhookStore


@dataclass(frozen=True)
class WebhookSweep:
    """The use case of one scheduled event."""

    store: WebhookStore
    queue: Queue
    warn: Callable[[str], None]

    def sweep(self, now: float) -> dict[str, int]:
        """Queue every message to open and every delivery to attempt that is overdue."""
        return sweep_due(self.store.due, self._queue, now, outcomes=("asked",), warn=self.warn)

    def _queue(self, item: Item, now: int) -> str | None:
        if not self.store.postpone(item, now + OVERDUE_SECONDS):
            return None
        task = _task_of(item)
        self.queue.send(task.to_dict(), group=task.org_id)
        return "asked"


def _task_of(item: Item) -> DeliveryTask:
    """A delivery to attempt, or a message to open."""
    if item["sk"].startswith("DLV#"):
        due = item["next_at"]
        return DeliveryTask(item["org_id"], item["message_id"], item["webhook_id"], due)
    return DeliveryTask(item["org_id"], item["id"])
