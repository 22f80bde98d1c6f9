"""Delivers webhooks: opens messages to the webhooks that listen, makes attempts, retries.

Delivery is at least once: when a worker dies after its request left, another one sends it again,
with the same `webhook-id`. One worker never sends twice: an attempt is leased by one conditional
write before it is made (`WebhookStore.lease_delivery`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from imagelayer.audit.security_log import SecurityLog
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.queue import MAX_DELAY_SECONDS, Queue
from imagelayer.platform.table import StoreUnavailable
from imagelayer.platform.times import rfc3339
from imagelayer.webhooks.messages import DeliveryTask
from imagelayer.webhooks.outbox import TEST_EVENT, WebhookOutbox
from imagelayer.webhooks.sender import Receipt, Undeliverable
from imagelayer.webhooks.signing import RootKeySource, sign
from imagelayer.webhooks.store import MAX_WEBHOOKS, WebhookStore

if TYPE_CHECKING:
    from imagelayer.webhooks.records import Attempt, Delivery, DeliveryStatus, Message, Webhook

# Seconds from one attempt to the next: eight attempts in about 27 hours, as Svix makes them and
# Standard Webhooks 1.0 gives as an example; each up to a fifth longer, so that what failed together
# does not come back together.
RETRY_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
JITTER = 0.2
# Answers after which the receiver says itself when to come again (RFC 9110 §10.2.3).
WAITING_STATUSES = frozenset({429, 502, 503, 504})
GONE = 410
# A webhook is disabled when nothing has succeeded for this long and for this many attempts.
DISABLE_AFTER_SECONDS = 5 * 86_400
DISABLE_AFTER_FAILURES = len(RETRY_SECONDS) + 1
# What is due sooner waits in the queue. Anything later is left to the sweep: a function that sends
# a message to its own queue again and again is stopped by Lambda after 16 invocations ("Use Lambda
# recursive loop detection"), and the two short pauses come to four.
QUEUED_SECONDS = MAX_DELAY_SECONDS
# Longer than the function may run, so that a lease is only taken over from a dead worker.
LEASE_SECONDS = 60


class Sender(Protocol):
    """What sends one request (`webhooks.sender.WebhookHttp`)."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """The receiver's answer. Raises Undeliverable."""


@frozen
class Outcome:
    """The result of an attempt: the status of a response, or the kind of failure, or both."""

    status: int | None
    error: str | None
    duration_ms: int
    retry_after: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.error is None


@frozen
class WebhookWorker:
    """The use case of one queue message."""

    store: WebhookStore
    queue: Queue
    outbox: WebhookOutbox
    sender: Sender
    roots: RootKeySource
    security: SecurityLog
    warn: Callable[[str], None]
    clock: Callable[[], float]
    random: Callable[[], float]
    token: Callable[[], str]

    def work(self, task: DeliveryTask) -> str:
        """Do one task; returns the outcome. Anything raised means: deliver the queue message
        again."""
        if not (is_id("org", task.org_id) and is_id("msg", task.message_id)):
            return "ignored"
        if not task.webhook_id:
            return self._open(task)
        return self._deliver(task) if is_id("whk", task.webhook_id) else "ignored"

    def _open(self, task: DeliveryTask) -> str:
        now = int(self.clock())
        message = self.store.message(task.org_id, task.message_id, now)
        if message is None:
            return "ignored"
        webhooks = self.store.list_webhooks(task.org_id, limit=MAX_WEBHOOKS)
        listening = [each["id"] for each in webhooks if _listens(each, message)]
        if "sweep_at" in message:
            self.store.open_message(message, listening, now)
        # Also when the message was open: the worker that opened it may have died before this.
        for webhook_id in listening:
            self._send(DeliveryTask(task.org_id, task.message_id, webhook_id, now), 0)
        return "opened"

    def _deliver(self, task: DeliveryTask) -> str:
        now = int(self.clock())
        delivery = self.store.lease_delivery(
            task.org_id,
            task.message_id,
            task.webhook_id,
            self.token(),
            now,
            now + LEASE_SECONDS,
        )
        if delivery is None:
            return "ignored"
        webhook = self.store.get_webhook(task.org_id, task.webhook_id)
        message = self.store.message(task.org_id, task.message_id, now)
        if webhook is None or message is None or not _is_wanted(webhook, message, delivery):
            self.store.settle_delivery(delivery, "dropped", None)
            return "dropped"
        outcome = self._attempt(webhook, message)
        return self._settle(webhook, message, delivery, outcome)

    def _attempt(self, webhook: Webhook, message: Message) -> Outcome:
        began = self.clock()
        body = message["body"].encode()
        timestamp = int(began)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message["id"],
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(
                self._secrets(webhook, timestamp), message["id"], timestamp, body
            ),
        }
        try:
            receipt = self.sender.post(webhook["url"], body, headers)
        except Undeliverable as failure:
            return Outcome(None, failure.kind, self._since(began))
        waits = receipt.status in WAITING_STATUSES
        return Outcome(
            receipt.status,
            _error_of(receipt.status),
            self._since(began),
            _seconds_of(receipt.retry_after, self.clock()) if waits else 0,
        )

    def _secrets(self, webhook: Webhook, now: int) -> list[str]:
        """The current secret and those in their grace, newest first."""
        in_grace = [each for each in webhook.get("previous") or [] if each["until"] > now]
        return [
            self.roots(drawn["root"]).secret(webhook["org_id"], webhook["id"], drawn)
            for drawn in (webhook["secret"], *in_grace)
        ]

    def _since(self, began: float) -> int:
        return max(0, round((self.clock() - began) * 1000))

    def _settle(
        self, webhook: Webhook, message: Message, delivery: Delivery, outcome: Outcome
    ) -> str:
        now = self.clock()
        next_at = None if outcome.succeeded else self._next_at(message, delivery, outcome, now)
        status: DeliveryStatus = "pending"
        if next_at is None:
            status = "succeeded" if outcome.succeeded else "failed"
        attempt: Attempt = {
            "id": new_id("att", now),
            "message_id": message["id"],
            "type": message["type"],
            "number": delivery["attempts"],
            "status_code": outcome.status,
            "error": outcome.error,
            "duration_ms": outcome.duration_ms,
            "next_at": next_at,
            "at": int(now),
        }
        # A second longer, because clocks differ: the sweep does what arrives before it is due.
        delay = math.ceil(next_at - now) + 1 if next_at is not None else 0
        queued = delay <= QUEUED_SECONDS
        if not self.store.settle_delivery(delivery, status, attempt, next_at, queued=queued):
            return "lost"
        if message["type"] != TEST_EVENT:
            self._record_health(webhook, outcome, now)
        if next_at is None:
            return status
        if queued:
            task = DeliveryTask(message["org_id"], message["id"], webhook["id"], next_at)
            self._send_later(task, delay)
        return "retrying"

    def _next_at(
        self, message: Message, delivery: Delivery, outcome: Outcome, now: float
    ) -> int | None:
        """When to try again, or None: a test event is sent once, a receiver that answers 410 gets
        nothing more, and nothing is sent once the message has expired."""
        made = delivery["attempts"]
        if message["type"] == TEST_EVENT or outcome.status == GONE or made > len(RETRY_SECONDS):
            return None
        pause = RETRY_SECONDS[made - 1] * (1 + JITTER * self.random())
        next_at = math.ceil(now + max(pause, min(outcome.retry_after, RETRY_SECONDS[-1])))
        return next_at if next_at < message["expires_at"] else None

    def _record_health(self, webhook: Webhook, outcome: Outcome, now: float) -> None:
        """Count failures, and disable a webhook that has been down for too long."""
        org_id, webhook_id = webhook["org_id"], webhook["id"]
        if outcome.succeeded:
            if "failing_since" in webhook:
                self.store.reset_failures(org_id, webhook_id)
            return
        current = self.store.record_failure(org_id, webhook_id, int(now))
        if current is None:
            return
        if outcome.status == GONE:
            self._disable(current, "gone", now)
        elif (
            current["failures"] >= DISABLE_AFTER_FAILURES
            and current["failing_since"] + DISABLE_AFTER_SECONDS <= now
        ):
            self._disable(current, "failing", now)

    def _disable(self, webhook: Webhook, reason: str, now: float) -> None:
        org_id, webhook_id = webhook["org_id"], webhook["id"]
        data = {"id": webhook_id, "reason": reason, "disabled_at": rfc3339(now)}
        announcement = self.outbox.announce(org_id, "webhook.disabled", data, now)
        # The sweep sends the announcement. From here it would go on with the chain of invocations,
        # which twenty webhooks that fail one after another could make too long.
        if self.store.disable_webhook(webhook, reason, announcement.actions):
            self.security.record(
                "webhook.disabled",
                "success",
                org_id=org_id,
                actor="webhooks",
                reason=f"{webhook_id} {reason}",
            )

    def _send(self, task: DeliveryTask, delay: int) -> None:
        self.queue.send(task.to_dict(), delay_seconds=delay, group=task.org_id)

    def _send_later(self, task: DeliveryTask, delay: int) -> None:
        """Queue the next attempt; when the queue does not answer, the sweep does it."""
        try:
            self._send(task, delay)
        except StoreUnavailable as fault:
            self.warn(f"a webhook waits for the sweep: {fault.reason}")


def _listens(webhook: Webhook, message: Message) -> bool:
    """Whether a message goes to a webhook: not to one that was created after it."""
    if message.get("webhook_id"):
        return bool(message["webhook_id"] == webhook["id"])
    return bool(
        webhook["enabled"]
        and message["type"] in webhook["events"]
        and webhook["created_at"] <= message["at"]
    )


def _is_wanted(webhook: Webhook, message: Message, delivery: Delivery) -> bool:
    """Whether an attempt is still to be made. One that a user requested is made even for a disabled
    webhook, but not repeated."""
    requested = delivery.get("by_hand") or message.get("webhook_id")
    return bool(webhook["enabled"] or (requested and delivery["attempts"] == 1))


def _error_of(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "redirect"
    return "gone" if status == GONE else "http_error"


def _seconds_of(retry_after: str | None, now: float) -> int:
    """Seconds of a Retry-After, which is a number of them or a date; 0 for anything else."""
    if retry_after is None:
        return 0
    if retry_after.isascii() and retry_after.isdigit():
        return int(retry_after[:9])
    try:
        return max(0, math.ceil(parsedate_to_datetime(retry_after).timestamp() - now))
    except (ValueError, TypeError, OverflowError):
        return 0
