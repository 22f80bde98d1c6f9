"""The sweep's part for webhooks: queues again what the queue lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imagelayer.platform.frozen import frozen
from imagelayer.platform.queue import Queue
from imagelayer.platform.sweeping import sweep_due
from imagelayer.webhooks.messages import DeliveryTask
from imagelayer.webhooks.store import OVERDUE_SECONDS, WebhookStore

if TYPE_CHECKING:
    from imagelayer.webhooks.records import Delivery, Message


@frozen
class WebhookSweep:
    """The use case of one scheduled event."""

    store: WebhookStore
    queue: Queue
    warn: Callable[[str], None]

    def sweep(self, now: float) -> dict[str, int]:
        """Queue every message to open and every delivery to attempt that is overdue."""
        return sweep_due(self.store.due, self._queue, now, outcomes=("asked",), warn=self.warn)

    def _queue(self, due: Message | Delivery, now: int) -> str | None:
        if not self.store.postpone(due, now + OVERDUE_SECONDS):
            return None
        task = _task_of(due)
        self.queue.send(task.to_dict(), group=task.org_id)
        return "asked"


def _task_of(due: Message | Delivery) -> DeliveryTask:
    """A delivery to attempt, or a message to open."""
    if "message_id" in due:
        return DeliveryTask(
            due["org_id"], due["message_id"], due["webhook_id"], not_before=due["next_at"]
        )
    return DeliveryTask(due["org_id"], due["id"])
