"""Messages of generations that no worker could process, as the operator sees them.

The jobs need nothing from here. One whose worker keeps dying is failed by its fourth attempt, or by
the sweep after its deadline, and its credits go back either way.
"""

from __future__ import annotations

from typing import Any

from imagelayer.generations.store import GenerationStore
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.queue import Queue, QueueMessage
from imagelayer.platform.times import rfc3339

SHOWN = 100


@frozen
class DeadLetters:
    """The use case of listing them."""

    queue: Queue
    store: GenerationStore

    def show(self) -> dict[str, Any]:
        """Up to 100 messages with the state of their jobs. They stay in the queue, hidden from
        another listing for half a minute."""
        return {"data": [self._view(message) for message in self.queue.peek(SHOWN)]}

    def _view(self, message: QueueMessage) -> dict[str, Any]:
        named = message.body if isinstance(message.body, dict) else {}
        org_id, generation_id = str(named.get("org_id")), str(named.get("generation_id"))
        known = is_id("org", org_id) and is_id("gen", generation_id)
        job = self.store.get_generation(org_id, generation_id) if known else None
        return {
            "message_id": message.id,
            "sent_at": rfc3339(message.sent_at),
            "org_id": org_id if known else None,
            "generation_id": generation_id if known else None,
            "status": job["status"] if job else None,
            "error": job.get("error") if job else None,
        }
