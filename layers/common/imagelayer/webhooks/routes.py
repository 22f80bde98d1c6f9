"""Routes of webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.query import page_of
from imagelayer.api.route import Route, route_table
from imagelayer.platform.lazy import lazy

if TYPE_CHECKING:
    from imagelayer.webhooks import schemas
else:
    schemas = lazy("imagelayer.webhooks.schemas")

ROUTES = route_table(
    Route(
        "POST /v1/organization/webhooks",
        tag="Webhooks",
        function="webhooks",
        operation="createWebhook",
        summary="Create a webhook endpoint",
        description="The signing secret is shown once, in this answer.",
        auth="user_or_key",
        limit="webhook-write",
        status=201,
        answer=lambda: schemas.CreatedWebhook,
        body=lambda: schemas.CreateWebhookRequest,
        scope="webhooks:write",
        problems=("webhook_limit_reached", "conflict"),
        idempotent="actor",
    ),
    Route(
        "GET /v1/organization/webhooks",
        tag="Webhooks",
        function="webhooks",
        operation="listWebhooks",
        summary="List webhook endpoints",
        auth="user_or_key",
        limit="webhook-read",
        status=200,
        answer=lambda: schemas.WebhookList,
        scope="webhooks:read",
        query=page_of("whk"),
    ),
    Route(
        "GET /v1/organization/webhooks/{webhook_id}",
        tag="Webhooks",
        function="webhooks",
        operation="getWebhook",
        summary="Get a webhook endpoint",
        auth="user_or_key",
        limit="webhook-read",
        status=200,
        answer=lambda: schemas.Webhook,
        scope="webhooks:read",
    ),
    Route(
        "PATCH /v1/organization/webhooks/{webhook_id}",
        tag="Webhooks",
        function="webhooks",
        operation="updateWebhook",
        summary="Update a webhook endpoint",
        description="Change its URL or event types, or disable or enable it.",
        auth="user_or_key",
        limit="webhook-write",
        status=200,
        answer=lambda: schemas.Webhook,
        body=lambda: schemas.UpdateWebhookRequest,
        scope="webhooks:write",
        problems=("conflict",),
    ),
    Route(
        "DELETE /v1/organization/webhooks/{webhook_id}",
        tag="Webhooks",
        function="webhooks",
        operation="deleteWebhook",
        summary="Delete a webhook endpoint",
        auth="user_or_key",
        limit="webhook-write",
        status=204,
        scope="webhooks:write",
    ),
    Route(
        "POST /v1/organization/webhooks/{webhook_id}/rotate",
        tag="Webhooks",
        function="webhooks",
        operation="rotateWebhook",
        summary="Rotate a webhook endpoint's secret",
        description=(
            "Until the grace period ends, messages are signed with both the old and the new secret."
        ),
        auth="user_or_key",
        limit="webhook-write",
        status=201,
        answer=lambda: schemas.RotatedWebhook,
        body=lambda: schemas.RotateWebhookRequest,
        scope="webhooks:write",
        problems=("conflict",),
        idempotent="actor",
    ),
    Route(
        "POST /v1/organization/webhooks/{webhook_id}/test",
        tag="Webhooks",
        function="webhooks",
        operation="testWebhook",
        summary="Send a test event",
        auth="user_or_key",
        limit="webhook-write",
        shared=("webhook-send",),
        status=202,
        answer=lambda: schemas.WebhookMessage,
        scope="webhooks:write",
    ),
    Route(
        "GET /v1/organization/webhooks/{webhook_id}/attempts",
        tag="Webhooks",
        function="webhooks",
        operation="listWebhookAttempts",
        summary="List delivery attempts of a webhook endpoint",
        description="Newest first, kept for 7 days.",
        auth="user_or_key",
        limit="webhook-read",
        status=200,
        answer=lambda: schemas.WebhookAttemptList,
        scope="webhooks:read",
        query=page_of("att"),
    ),
    Route(
        "POST /v1/organization/webhooks/{webhook_id}/messages/{message_id}/resend",
        tag="Webhooks",
        function="webhooks",
        operation="resendWebhookMessage",
        summary="Resend a webhook message",
        description="Available for messages of the last 72 hours.",
        auth="user_or_key",
        limit="webhook-write",
        shared=("webhook-send",),
        status=202,
        answer=lambda: schemas.WebhookMessage,
        scope="webhooks:write",
        problems=("conflict",),
    ),
)
