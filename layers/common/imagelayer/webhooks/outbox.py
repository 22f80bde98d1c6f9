"""What tells an organization's endpoints that something happened.

A message is written in the transaction of what it tells of, and its queue message is sent after it.
So nothing is told that did not happen, and a queue message that is lost is made up for by the sweep
of `webhook_worker`. What is told is thin: ids and states, never a prompt or a link.

Use it as

    announcement = outbox.job_ended(job, "generation.failed", now, error=code)
    if store.fail(job, …, [*release, *announcement.actions], now):
        announcement.send()
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec

from imagelayer.platform.ids import new_id
from imagelayer.platform.queue import Queue
from imagelayer.platform.table import Action, Item, StoreUnavailable
from imagelayer.platform.times import rfc3339
from imagelayer.webhooks.store import WebhookStore

JobEvent = Literal["generation.succeeded", "generation.failed", "generation.canceled"]
TEST_EVENT = "webhook.test"
MAX_BODY_BYTES = 20_000  # Standard Webhooks 1.0, "Payload size"


@dataclass(frozen=True)
class DeliveryTask:
    """A queue message: a message to open, or with a `webhook_id` a delivery to attempt."""

    org_id: str
    message_id: str
    webhook_id: str = ""
    not_before: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the queue."""
        body: dict[str, Any] = {"org_id": self.org_id, "message_id": self.message_id}
        if self.webhook_id:
            body |= {"webhook_id": self.webhook_id, "not_before": self.not_before}
        return body


@dataclass(frozen=True)
class Announcement:
    """What is written with something that happens, and sent once it has."""

    actions: tuple[Action, ...] = ()
    send: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class WebhookOutbox:
    """The side of webhooks on which things happen."""

    store: WebhookStore
    queue: Queue
    lost: Callable[[str], None]

    def job_ended(
        self,
        job: Item,
        event: JobEvent,
        now: float,
        *,
        asset_ids: Sequence[str] = (),
        error: str | None = None,
    ) -> Announcement:
        """Announce the end of a job: `job` with the credits it ends with, the ids of its images,
        and the code of its failure. Raises StoreUnavailable."""
        data = {
            "id": job["id"],
            "status": event.partition(".")[2],
            "model": job["model"],
            "mode": job["mode"],
            "n": job["n"],
            "credits": job["credits"] if event == "generation.succeeded" else 0,
            "brand_id": job.get("brand_id"),
            "end_user_id": job.get("end_user_id"),
            "asset_ids": list(asset_ids),
            "error": error,
            "created_at": rfc3339(job["created_at"]),
            "finished_at": rfc3339(now),
            "expires_at": rfc3339(job["expires_at"]),
        }
        return self.announce(job["org_id"], event, data, now)

    def announce(
        self, org_id: str, event: str, data: Mapping[str, Any], now: float
    ) -> Announcement:
        """Announce anything; costs one read, and nothing more where no endpoint is.

        An endpoint that is made while this runs may miss it: what runs at the same time has no
        order. Raises StoreUnavailable.
        """
        if not self.store.has_any(org_id):
            return Announcement()
        message = new_message(org_id, event, data, now)
        return Announcement((self.store.message_action(message),), partial(self._send, message))

    def tell_once(
        self, org_id: str, event: str, data: Mapping[str, Any], now: float, occasion: str
    ) -> None:
        """Announce what is no part of a transaction, once for each `occasion` however often and by
        however many this is called. Raises StoreUnavailable."""
        if not self.store.has_any(org_id):
            return
        digest = hashlib.sha256(f"{org_id}\x00{event}\x00{occasion}".encode()).digest()
        # No part of the id is the time, so that every call makes the same one.
        message_id = new_id("msg", 0, lambda size: digest[:size])
        message = new_message(org_id, event, data, now, message_id)
        if self.store.add_message(message):
            self._send(message)

    def _send(self, message: Item) -> None:
        """Ask for the message's delivery; what happened stands, whatever happens here."""
        try:
            task = DeliveryTask(message["org_id"], message["id"])
            self.queue.send(task.to_dict(), group=task.org_id)
        except StoreUnavailable as fault:
            self.lost(f"a webhook waits for the sweep: {fault.reason}")


def new_message(
    org_id: str,
    event: str,
    data: Mapping[str, Any],
    now: float,
    message_id: str = "",
) -> Item:
    """A message with its body as it will be sent, byte for byte, in every attempt.

    Raises ValueError when the body is larger than receivers are told to take.
    """
    body = msgspec.json.encode({"type": event, "timestamp": rfc3339(now), "data": data})
    if len(body) > MAX_BODY_BYTES:
        raise ValueError("a webhook's body is too large")
    return {
        "id": message_id or new_id("msg", now),
        "org_id": org_id,
        "type": event,
        "body": body.decode(),
        "at": int(now),
    }
