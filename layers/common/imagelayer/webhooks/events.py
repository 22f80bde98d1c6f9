"""The types of event that a webhook endpoint can receive."""

from __future__ import annotations

from typing import Literal, get_args

type WebhookEvent = Literal[
    "generation.succeeded",
    "generation.failed",
    "generation.canceled",
    "quota.alert",
    "webhook.disabled",
]
WEBHOOK_EVENTS: tuple[str, ...] = get_args(WebhookEvent.__value__)
