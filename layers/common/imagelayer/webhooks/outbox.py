"""The sending side of webhooks: records events and queues their delivery.

A message is written in the transaction of what it reports, and its queue message is sent after it.
So every message reports something that happened, and a lost queue message is replaced by the sweep
(`webhooks.sweep`). Messages are thin: ids and states, never a prompt or a link.

Use it as

    announcement = outbox.announce(org_id, "generation.failed", data, now)
    if store.fail(job, …, [*release, *announcement.actions], now):
        announcement.send()
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import new_id
from imagelayer.platform.queue import Queue
from imagelayer.platform.table import Action, StoreUnavailable
from imagelayer.platform.times import rfc3339
from imagelayer.webhooks.store import WebhookStore

if TYPE_CHECKING:
    from imagelayer.webhooks.records import Message

TEST_EVENT = "webhook.test"
MAX_BODY_BYTES = 20_000  # Standard Webhooks 1.0, "Payload size"


@frozen
class WebhookOutbox:
    """Records events for an organization's webhooks and queues their delivery."""

    store: WebhookStore
    queue: Queue
    lost: Callable[[str], None]

    def announce(
        self, org_id: str, event: str, data: Mapping[str, Any], now: float
    ) -> Announcement:
        """Prepare a message; costs one read, and nothing more for an organization without webhooks.

        A webhook that is created while this runs may miss the event: concurrent calls have no
        order. Raises StoreUnavailable.
        """
        if not self.store.has_any(org_id):
            return Announcement(self, None)
        return Announcement(self, new_message(org_id, event, data, now))

    def announce_once(
        self, org_id: str, event: str, data: Mapping[str, Any], now: float, occasion: str
    ) -> None:
        """Send an event outside a transaction, at most once per `occasion`, even under concurrent
        calls. Raises StoreUnavailable."""
        if not self.store.has_any(org_id):
            return
        digest = hashlib.sha256(f"{org_id}\x00{event}\x00{occasion}".encode()).digest()
        # The id must not depend on the time, so that every call makes the same one.
        message_id = new_id("msg", 0, lambda size: digest[:size])
        message = new_message(org_id, event, data, now, message_id)
        if self.store.add_message(message):
            self.send(message)

    def write_action(self, message: Message) -> Action:
        """Write the message, in the transaction of what it reports."""
        return self.store.message_action(message)

    def send(self, message: Message) -> None:
        """Queue the message's delivery; when the queue does not answer, the sweep does it."""
        from imagelayer.webhooks.messages import DeliveryTask

        try:
            task = DeliveryTask(message["org_id"], message["id"])
            self.queue.send(task.to_dict(), group=task.org_id)
        except StoreUnavailable as fault:
            self.lost(f"a webhook waits for the sweep: {fault.reason}")


@frozen
class Announcement:
    """A message to write with what it reports and to send afterwards; None without webhooks."""

    outbox: WebhookOutbox
    message: Message | None

    @property
    def actions(self) -> tuple[Action, ...]:
        """Write the message, in the transaction of what it reports."""
        return (self.outbox.write_action(self.message),) if self.message else ()

    def send(self) -> None:
        """Queue the delivery, once the transaction is done."""
        if self.message is not None:
            self.outbox.send(self.message)


def new_message(
    org_id: str,
    event: str,
    data: Mapping[str, Any],
    now: float,
    message_id: str = "",
) -> Message:
    """A message whose body every attempt sends byte for byte.

    Raises ValueError when the body is larger than Standard Webhooks allows.
    """
    content = {"type": event, "timestamp": rfc3339(now), "data": data}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    if len(body.encode()) > MAX_BODY_BYTES:
        raise ValueError("a webhook's body is too large")
    return {
        "id": message_id or new_id("msg", now),
        "org_id": org_id,
        "type": event,
        "body": body,
        "at": int(now),
    }
