"""Webhooks: their life, their secrets, and the log of what was sent to them.

A secret is shown when it is created and never again; the record names the root key and version it
is drawn from (`webhooks.signing`). Logs name a webhook by its id only: its URL may hold a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from imagelayer.audit.security_log import SecurityLog
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform import pages
from imagelayer.platform.errors import Problem, invalid, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import Created, IdempotencyRecord, Ids
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.queue import Queue
from imagelayer.platform.table import StoreUnavailable, TransactionRefused
from imagelayer.platform.times import rfc3339
from imagelayer.webhooks.events import WEBHOOK_EVENTS
from imagelayer.webhooks.messages import DeliveryTask
from imagelayer.webhooks.outbox import TEST_EVENT, new_message
from imagelayer.webhooks.signing import RootKeySource
from imagelayer.webhooks.store import MAX_WEBHOOKS, TooManyWebhooks, WebhookStore
from imagelayer.webhooks.targets import TargetRefused, parse

if TYPE_CHECKING:
    from imagelayer.webhooks.records import Attempt, DrawnSecret, Message, PreviousSecret, Webhook

# The current secret and those in their grace; each is a signature in the header.
MAX_SECRETS = 4


@frozen
class Webhooks:
    """The use cases of webhooks."""

    store: WebhookStore
    counters: CounterStore
    queue: Queue
    roots: RootKeySource
    security: SecurityLog
    loopback: bool
    warn: Callable[[str], None]

    def create_webhook(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        url: str,
        events: Sequence[str] | None = None,
        description: str = "",
        enabled: bool = True,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Create a webhook and return it with its secret. Raises Problem 409 or 422."""
        self._check(url)
        roots = self.roots("")
        webhook: Webhook = {
            "id": new_id("whk", now),
            "org_id": principal.org_id,
            "url": url,
            "events": _sorted(events),
            "description": description,
            "enabled": enabled,
            "secret": {"root": roots.current, "version": 1},
            "previous": [],
            "created_at": int(now),
            "created_by": principal.actor,
            "updated_at": int(now),
        }
        record = idempotency and idempotency.creating(webhook_id=webhook["id"], version=1)
        try:
            earlier = self.store.create_webhook(webhook, record)
        except TooManyWebhooks:
            raise Problem(
                "webhook_limit_reached",
                f"An organization can have {MAX_WEBHOOKS} webhooks. Delete one first.",
            ) from None
        if earlier is not None:
            return self._replay(principal.org_id, earlier)
        self.security.by(principal, origin).record("webhook.created", reason=webhook["id"])
        return Created(self._with_secret(webhook))

    def get_webhook(self, principal: Principal, webhook_id: str) -> dict[str, Any]:
        """One webhook of the caller's organization. Raises Problem 404."""
        return view(self._need(principal.org_id, webhook_id))

    def list_webhooks(
        self, principal: Principal, *, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of webhooks, oldest first, and the next page's cursor."""
        found = self.store.list_webhooks(principal.org_id, limit=limit + 1, after=after)
        page, cursor = pages.cut(found, limit)
        return [view(webhook) for webhook in page], cursor

    def update_webhook(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        webhook_id: str,
        fields: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Change URL, events, description or whether it is enabled. Raises Problem 404, 409 or 422.

        Enabling a webhook starts afresh: earlier failures no longer count.
        """
        changes = dict(fields)
        if "url" in changes:
            self._check(changes["url"])
        if "events" in changes:
            changes["events"] = _sorted(changes["events"])
        webhook = self._need(principal.org_id, webhook_id)
        if not changes:
            return view(webhook)
        forget = ("failing_since", "failures", "disabled_reason") if changes.get("enabled") else ()
        named = ", ".join(sorted(changes))
        changes["updated_at"] = int(now)
        if not self.store.update_webhook(webhook, changes, forget):
            raise Problem("conflict", "The webhook was changed by another request. Try again.")
        self.security.by(principal, origin).record(
            "webhook.changed", reason=f"{webhook_id} {named}"
        )
        kept = {name: value for name, value in webhook.items() if name not in forget}
        return view(cast("Webhook", {**kept, **changes}))

    def delete_webhook(self, principal: Principal, origin: Origin, webhook_id: str) -> None:
        """Remove a webhook; pending deliveries are not sent any more. Raises Problem 404."""
        webhook = self._need(principal.org_id, webhook_id)
        if not self.store.delete_webhook(webhook):
            raise not_found("webhook")
        self.security.by(principal, origin).record("webhook.deleted", reason=webhook_id)

    def rotate_webhook(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        webhook_id: str,
        *,
        grace_seconds: int,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Give a webhook a new secret; the old one signs beside it until its grace ends.

        Raises Problem 404, or 409 when another change came first.
        """
        webhook = self._need(principal.org_id, webhook_id)
        earlier = self.store.idempotency.find(idempotency)
        if earlier is not None:
            return self._replay(principal.org_id, earlier)
        ends = int(now) + grace_seconds
        secret: DrawnSecret = {
            "root": self.roots("").current,
            "version": webhook["secret"]["version"] + 1,
        }
        previous = _in_grace(webhook, ends, int(now))
        record = idempotency and idempotency.creating(
            webhook_id=webhook_id, version=secret["version"], ends=ends
        )
        try:
            earlier = self.store.rotate_webhook(webhook, secret, previous, record)
        except TransactionRefused:
            raise Problem(
                "conflict", "The webhook was changed by another request. Try again."
            ) from None
        if earlier is not None:
            return self._replay(principal.org_id, earlier)
        self.security.by(principal, origin).record("webhook.rotated", reason=webhook_id)
        body = self._with_secret({**webhook, "secret": secret, "previous": previous})
        return Created({**body, "previous_expires_at": rfc3339(ends)})

    def test_webhook(self, principal: Principal, now: float, webhook_id: str) -> dict[str, Any]:
        """Send a test event to one webhook, even a disabled one. Raises Problem 404, or Limited."""
        webhook = self._need(principal.org_id, webhook_id)
        self._count_send(principal, now)
        message = new_message(webhook["org_id"], TEST_EVENT, {"id": webhook_id}, now)
        self.store.add_message_for(message, webhook_id)
        self._queue(DeliveryTask(webhook["org_id"], message["id"], webhook_id, int(now)))
        return _message_view(message)

    def resend_webhook_message(
        self, principal: Principal, now: float, webhook_id: str, message_id: str
    ) -> dict[str, Any]:
        """Send a message again, with a new series of attempts; also one that was never sent to this
        webhook. Raises Problem 404, or 409 while it is being sent; or Limited."""
        webhook = self._need(principal.org_id, webhook_id)
        known = is_id("msg", message_id)
        message = self.store.message(principal.org_id, message_id, int(now)) if known else None
        if message is None or message.get("webhook_id", webhook_id) != webhook_id:
            raise not_found("message")
        self._count_send(principal, now)
        if not self.store.resend_message(message, webhook_id, int(now)):
            raise Problem("conflict", "The message is being sent. Try again in a moment.")
        self._queue(DeliveryTask(webhook["org_id"], message_id, webhook_id, int(now)))
        return _message_view(message)

    def list_webhook_attempts(
        self, principal: Principal, now: float, webhook_id: str, *, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of delivery attempts, newest first, and the next page's cursor.

        Raises Problem 404.
        """
        self._need(principal.org_id, webhook_id)
        found = self.store.list_attempts(principal.org_id, webhook_id, limit=limit + 1, after=after)
        page, cursor = pages.cut(found, limit)
        return [_attempt_view(each) for each in page if each["expires_at"] > now], cursor

    def _count_send(self, principal: Principal, now: float) -> None:
        """Count a request to a server of the organization's choice, for all of its credentials
        together: it can have many keys. Raises Limited."""
        self.counters.admit(principal.org_id, POLICIES["webhook-send"], int(now * 1000))

    def _queue(self, task: DeliveryTask) -> None:
        """Queue the attempt; when the queue does not answer, the sweep does it."""
        try:
            self.queue.send(task.to_dict(), group=task.org_id)
        except StoreUnavailable as fault:
            self.warn(f"a webhook waits for the sweep: {fault.reason}")

    def _check(self, url: str) -> None:
        try:
            parse(url, loopback=self.loopback)
        except TargetRefused as refusal:
            raise invalid("body.url", str(refusal)) from None

    def _replay(self, org_id: str, ids: Ids) -> Created:
        """Answer a repeated request with the same secret, as long as it is the current one.

        Raises Problem 404 or 409.
        """
        webhook = self._need(org_id, ids["webhook_id"])
        if ids["version"] != webhook["secret"]["version"]:
            raise Problem("conflict", "The secret has been rotated since.")
        body = self._with_secret(webhook)
        if "ends" in ids:
            body["previous_expires_at"] = rfc3339(ids["ends"])
        return Created(body, replayed=True)

    def _with_secret(self, webhook: Webhook) -> dict[str, Any]:
        drawn = webhook["secret"]
        secret = self.roots(drawn["root"]).secret(webhook["org_id"], webhook["id"], drawn)
        return {**view(webhook), "secret": secret}

    def _need(self, org_id: str, webhook_id: str) -> Webhook:
        webhook = self.store.get_webhook(org_id, webhook_id) if is_id("whk", webhook_id) else None
        if webhook is None:
            raise not_found("webhook")
        return webhook


def view(webhook: Webhook) -> dict[str, Any]:
    """What the API shows of a webhook."""
    failing_since = webhook.get("failing_since")
    return {
        "id": webhook["id"],
        "url": webhook["url"],
        "events": webhook["events"],
        "description": webhook["description"],
        "enabled": webhook["enabled"],
        "disabled_reason": webhook.get("disabled_reason"),
        "failing_since": rfc3339(failing_since) if failing_since else None,
        "created_at": rfc3339(webhook["created_at"]),
        "created_by": webhook["created_by"],
        "updated_at": rfc3339(webhook["updated_at"]),
    }


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    next_at = attempt.get("next_at")
    error = attempt.get("error")
    return {
        "id": attempt["id"],
        "message_id": attempt["message_id"],
        "event": attempt["type"],
        "attempt": attempt["number"],
        "outcome": "failed" if error else "succeeded",
        "status_code": attempt.get("status_code"),
        "error": error,
        "duration_ms": attempt["duration_ms"],
        "created_at": rfc3339(attempt["at"]),
        "next_attempt_at": rfc3339(next_at) if next_at else None,
    }


def _message_view(message: Message) -> dict[str, Any]:
    return {
        "id": message["id"],
        "event": message["type"],
        "created_at": rfc3339(message["at"]),
    }


def _sorted(events: Sequence[str] | None) -> list[str]:
    return sorted(WEBHOOK_EVENTS if events is None else set(events))


def _in_grace(webhook: Webhook, ends: int, now: int) -> list[PreviousSecret]:
    """The secrets that keep signing beside a new one, newest first."""
    earlier = [each for each in webhook["previous"] if each["until"] > now]
    last: list[PreviousSecret] = [{**webhook["secret"], "until": ends}] if ends > now else []
    return [*last, *earlier][: MAX_SECRETS - 1]
