"""The shapes of what the webhook store reads and writes. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, final

DeliveryStatus = Literal["pending", "succeeded", "failed", "dropped"]


class DrawnSecret(TypedDict):
    """Which root key and version a secret is drawn from; never the secret itself."""

    root: str
    version: int


class PreviousSecret(DrawnSecret):
    """A secret in its grace: it signs beside the current one until then."""

    until: int


class Webhook(TypedDict):
    """An endpoint of an organization. `rev` grows with every change and is set by the store."""

    id: str
    org_id: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    secret: DrawnSecret
    previous: list[PreviousSecret]
    created_at: int
    created_by: str
    updated_at: int
    rev: NotRequired[int]
    failures: NotRequired[int]
    failing_since: NotRequired[int]
    disabled_reason: NotRequired[str]


@final
class Message(TypedDict):
    """An event with its body as it is sent. `webhook_id` is set where it is for one webhook only,
    `sweep_at` until it is opened; the store sets both times."""

    id: str
    org_id: str
    type: str
    body: str
    at: int
    expires_at: NotRequired[int]
    purge_at: NotRequired[int]
    webhook_id: NotRequired[str]
    sweep_at: NotRequired[int]


@final
class Delivery(TypedDict):
    """One message on its way to one webhook. `lease` is that of the attempt that runs."""

    org_id: str
    message_id: str
    webhook_id: str
    status: DeliveryStatus
    attempts: int
    next_at: int
    purge_at: int
    lease: NotRequired[str]
    leased_until: NotRequired[int]
    sweep_at: NotRequired[int]
    by_hand: NotRequired[bool]


class Attempt(TypedDict):
    """A finished attempt, for the log. The store sets `expires_at` and omits what is None."""

    id: str
    message_id: str
    type: str
    number: int
    status_code: NotRequired[int | None]
    error: NotRequired[str | None]
    duration_ms: int
    next_at: NotRequired[int | None]
    at: int
    expires_at: NotRequired[int]
