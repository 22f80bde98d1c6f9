"""Shapes of the API: webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import MISSING, Field

from imagelayer.api.schemas import NAME, TRIMMED, WHOLE, Answer, Request, Timestamp, Url
from imagelayer.webhooks.events import WebhookEvent

WebhookEvents = Annotated[list[WebhookEvent], Field(min_length=1, max_length=32)]

WebhookUrl = Annotated[
    str,
    Field(min_length=8, max_length=2048, examples=["https://hooks.example.com/imagelayer"]),
    TRIMMED,
]

Description = Annotated[str, Field(max_length=200), NAME]


class CreateWebhookRequest(Request):
    """Where to send events. Without `events`, all event types that exist today."""

    url: WebhookUrl
    """Where to send events: an https URL with a public address."""
    events: WebhookEvents | None = None
    """The event types to send; by default all that exist today."""
    description: Description = ""
    """A note of your own."""
    enabled: bool = True
    """`false` creates it disabled."""


class UpdateWebhookRequest(Request):
    """Fields left out stay as they are."""

    url: WebhookUrl | MISSING = MISSING
    """Where to send events from now on."""
    events: WebhookEvents | MISSING = MISSING
    """The event types to send from now on."""
    description: Description | MISSING = MISSING
    """A note of your own."""
    enabled: bool | MISSING = MISSING
    """`false` disables it, `true` enables it again."""


class RotateWebhookRequest(Request):
    """How long both secrets sign messages, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Field(ge=0, le=604_800), WHOLE] = 86_400
    """How long both secrets sign messages, 0 to 604,800 seconds."""


class Webhook(Answer):
    """A webhook endpoint without its secret. `disabled_reason` says why we disabled it: its
    receiver is `gone` (410), or has been `failing` for five days."""

    id: str
    url: Url
    events: list[WebhookEvent]
    """The event types it receives."""
    description: str
    """Your own note."""
    enabled: bool
    """Whether it receives events."""
    disabled_reason: Literal["gone", "failing"] | None
    """Why we disabled it: `gone` (the receiver answered 410) or `failing` (for five days)."""
    failing_since: Timestamp | None
    """When attempts began to fail; null while deliveries succeed."""
    created_at: Timestamp
    created_by: str
    """The member or API key that created it."""
    updated_at: Timestamp


class CreatedWebhook(Webhook):
    """A webhook endpoint with its secret, which is shown once."""

    secret: str
    """The secret that verifies signatures; shown once."""


class RotatedWebhook(CreatedWebhook):
    """The new secret, and when the previous one stops signing."""

    previous_expires_at: Timestamp
    """When the old secret stops signing."""


class WebhookList(Answer):
    """A page of endpoints."""

    data: list[Webhook]
    next_cursor: str | None


class WebhookMessage(Answer):
    """A message being delivered; the receiver finds its `id` in `webhook-id`."""

    id: str
    event: str
    """The event type."""
    created_at: Timestamp


class WebhookAttempt(Answer):
    """One attempt to deliver a message. `status_code` is null when the receiver did not respond;
    `error` is null when it accepted the message."""

    id: str
    message_id: str
    """The `webhook-id` that the receiver saw."""
    event: str
    """The event type."""
    attempt: int
    """1 for the first attempt at this message."""
    outcome: Literal["succeeded", "failed"]
    """Whether the receiver accepted the message."""
    status_code: int | None
    """The receiver's status; null when it did not respond."""
    error: str | None
    """Why it failed; null when the receiver accepted the message."""
    duration_ms: int
    """How long it took, in milliseconds."""
    created_at: Timestamp
    next_attempt_at: Timestamp | None
    """When the next attempt is due; null if there is none."""


class WebhookAttemptList(Answer):
    """A page of attempts, newest first; they are kept for seven days."""

    data: list[WebhookAttempt]
    next_cursor: str | None
