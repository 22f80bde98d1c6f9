"""Shapes of the API: webhooks."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, UnsetType

from imagelayer.api.schemas import Answer, Request, Timestamp, Url

WebhookEvent = Literal[
    "generation.succeeded",
    "generation.failed",
    "generation.canceled",
    "quota.alert",
    "webhook.disabled",
]

WEBHOOK_EVENTS: tuple[str, ...] = get_args(WebhookEvent)

WebhookEvents = Annotated[list[WebhookEvent], Meta(min_length=1, max_length=32)]

WebhookUrl = Annotated[
    str, Meta(min_length=8, max_length=2048, examples=["https://hooks.example.com/imagelayer"])
]

Description = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f<>]*$(?!\n)")]


class CreateWebhookRequest(Request):
    """Where to tell of what happens; of everything there is by now unless `events` chooses."""

    url: WebhookUrl
    events: WebhookEvents | None = None
    description: Description = ""
    enabled: bool = True


class UpdateWebhookRequest(Request):
    """Fields left out stay as they are."""

    url: WebhookUrl | UnsetType = UNSET
    events: WebhookEvents | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotateWebhookRequest(Request):
    """How long the old secret signs beside the new one, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 86_400


class Webhook(Answer):
    """An endpoint without its secret. `disabled_reason` says why we switched it off: its receiver
    is `gone` (410), or has been `failing` for five days."""

    id: str
    url: Url
    events: list[WebhookEvent]
    description: str
    enabled: bool
    disabled_reason: Literal["gone", "failing"] | None
    failing_since: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class CreatedWebhook(Webhook):
    """An endpoint with its secret, shown this once."""

    secret: str


class RotatedWebhook(CreatedWebhook):
    """The new secret, and until when the previous one signs beside it."""

    previous_expires_at: Timestamp


class WebhookList(Answer):
    """A page of endpoints."""

    data: list[Webhook]
    next_cursor: str | None


class WebhookMessage(Answer):
    """A message that is on its way; `id` is what its receiver finds in `webhook-id`."""

    id: str
    event: str
    created_at: Timestamp


class WebhookAttempt(Answer):
    """One attempt to send a message. `status_code` is null where no answer was had, and `error`
    where it was taken."""

    id: str
    message_id: str
    event: str
    attempt: int
    outcome: Literal["succeeded", "failed"]
    status_code: int | None
    error: str | None
    duration_ms: int
    created_at: Timestamp
    next_attempt_at: Timestamp | None


class WebhookAttemptList(Answer):
    """A page of attempts, newest first; they are kept for seven days."""

    data: list[WebhookAttempt]
    next_cursor: str | None
