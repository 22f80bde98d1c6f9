"""The sweep's part for webhooks: queues attempts after long pauses, and what the queue lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from imagelayer.platform.frozen import frozen
from imagelayer.platform.queue import Queue
from imagelayer.platform.sweeping import sweep_due
from imagelayer.platform.table import SWEEP_PAGE
from imagelayer.webhooks.messages import DeliveryTask
from imagelayer.webhooks.store import OVERDUE_SECONDS, WebhookStore

if TYPE_CHECKING:
    from imagelayer.webhooks.records import Delivery, Message

# How long a run goes on while a page is full. With the page that it began last it stays below the
# function's timeout; one that is ended anywhere leaves the rest to the next minute's.
SWEEP_SECONDS = 30


@frozen
class WebhookSweep:
    """The use case of one scheduled event."""

    store: WebhookStore
    queue: Queue
    warn: Callable[[str], None]
    clock: Callable[[], float]

    def sweep(self, now: float) -> dict[str, int]:
        """Queue every message to open and every delivery to attempt that is due."""
        total: Counter[str] = Counter()
        while True:
            swept = sweep_due(self.store.due, self._queue, now, outcomes=("asked",), warn=self.warn)
            total.update(swept)
            if swept["asked"] < SWEEP_PAGE or self.clock() >= now + SWEEP_SECONDS:
                return dict(total)

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
