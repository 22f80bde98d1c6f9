"""Shapes of the API: webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import MISSING, Field

from imagelayer.api.schemas import WHOLE, Answer, Request, Timestamp, Url, form
from imagelayer.webhooks.events import WebhookEvent

WebhookEvents = Annotated[list[WebhookEvent], Field(min_length=1, max_length=32)]

WebhookUrl = Annotated[
    str, Field(min_length=8, max_length=2048, examples=["https://hooks.example.com/imagelayer"])
]

Description = Annotated[
    str, form(r"^[^\x00-\x1f\x7f<>]*$", "text on one line without < or >", max_length=200)
]


class CreateWebhookRequest(Request):
    """Where to tell of what happens; of everything there is by now unless `events` chooses."""

    url: WebhookUrl
    """Where to send events: https, and no private address."""
    events: WebhookEvents | None = None
    """Which types of event; by default every type that exists today."""
    description: Description = ""
    """A note of your own."""
    enabled: bool = True
    """false creates it switched off."""


class UpdateWebhookRequest(Request):
    """Fields left out stay as they are."""

    url: WebhookUrl | MISSING = MISSING
    """Where to send events from now on."""
    events: WebhookEvents | MISSING = MISSING
    """Which types of event from now on."""
    description: Description | MISSING = MISSING
    """A note of your own."""
    enabled: bool | MISSING = MISSING
    """false switches it off, true on again."""


class RotateWebhookRequest(Request):
    """How long the old secret signs beside the new one, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Field(ge=0, le=604_800), WHOLE] = 86_400
    """How long the old secret signs beside the new one, 0 to 604,800 seconds."""


class Webhook(Answer):
    """An endpoint without its secret. `disabled_reason` says why we switched it off: its receiver
    is `gone` (410), or has been `failing` for five days."""

    id: str
    url: Url
    events: list[WebhookEvent]
    """The types of event it receives."""
    description: str
    """Your own note."""
    enabled: bool
    """Whether it receives events."""
    disabled_reason: Literal["gone", "failing"] | None
    """Why we switched it off: `gone` (it answered 410) or `failing` (for five days)."""
    failing_since: Timestamp | None
    """Since when every attempt has failed; null while deliveries succeed."""
    created_at: Timestamp
    updated_at: Timestamp


class CreatedWebhook(Webhook):
    """An endpoint with its secret, shown this once."""

    secret: str
    """Verifies signatures; shown this once."""


class RotatedWebhook(CreatedWebhook):
    """The new secret, and until when the previous one signs beside it."""

    previous_expires_at: Timestamp
    """Until when the old secret signs as well."""


class WebhookList(Answer):
    """A page of endpoints."""

    data: list[Webhook]
    next_cursor: str | None


class WebhookMessage(Answer):
    """A message that is on its way; `id` is what its receiver finds in `webhook-id`."""

    id: str
    event: str
    """The type of event."""
    created_at: Timestamp


class WebhookAttempt(Answer):
    """One attempt to send a message. `status_code` is null where no answer was had, and `error`
    where it was taken."""

    id: str
    message_id: str
    """The `webhook-id` that the receiver saw."""
    event: str
    """The type of event."""
    attempt: int
    """1 for the first attempt at this message."""
    outcome: Literal["succeeded", "failed"]
    """Whether the receiver accepted the message."""
    status_code: int | None
    """What the receiver answered; null when it did not respond."""
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
