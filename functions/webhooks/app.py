"""Webhooks: create, read, update, rotate, test, and the log of their delivery attempts."""

from imagelayer.http import App, Call, Reply, created
from imagelayer.http.body import sent_fields
from imagelayer.http.paging import page, page_request
from imagelayer.webhooks.routes import ROUTES
from imagelayer.webhooks.wiring import WebhooksWiring

app = App("webhooks", WebhooksWiring, ROUTES)


@app.route("POST /v1/organization/webhooks")
def create_webhook(call: Call[WebhooksWiring]) -> Reply:
    webhook = call.wiring.webhooks.create_webhook(
        call.principal,
        call.origin,
        call.now,
        idempotency=call.idempotency,
        **sent_fields(call.body),
    )
    return created(webhook)


@app.route("GET /v1/organization/webhooks")
def list_webhooks(call: Call[WebhooksWiring]) -> Reply:
    limit, after = page_request(call.query, "whk")
    return Reply(
        page(*call.wiring.webhooks.list_webhooks(call.principal, limit=limit, after=after))
    )


@app.route("GET /v1/organization/webhooks/{webhook_id}")
def get_webhook(call: Call[WebhooksWiring]) -> Reply:
    return Reply(call.wiring.webhooks.get_webhook(call.principal, call.path["webhook_id"]))


@app.route("PATCH /v1/organization/webhooks/{webhook_id}")
def update_webhook(call: Call[WebhooksWiring]) -> Reply:
    changed = call.wiring.webhooks.update_webhook(
        call.principal, call.origin, call.now, call.path["webhook_id"], sent_fields(call.body)
    )
    return Reply(changed)


@app.route("DELETE /v1/organization/webhooks/{webhook_id}")
def delete_webhook(call: Call[WebhooksWiring]) -> Reply:
    call.wiring.webhooks.delete_webhook(call.principal, call.origin, call.path["webhook_id"])
    return Reply()


@app.route("POST /v1/organization/webhooks/{webhook_id}/rotate")
def rotate_webhook(call: Call[WebhooksWiring]) -> Reply:
    rotated = call.wiring.webhooks.rotate_webhook(
        call.principal,
        call.origin,
        call.now,
        call.path["webhook_id"],
        grace_seconds=call.body.grace_seconds,
        idempotency=call.idempotency,
    )
    return created(rotated)


@app.route("POST /v1/organization/webhooks/{webhook_id}/test")
def test_webhook(call: Call[WebhooksWiring]) -> Reply:
    return Reply(
        call.wiring.webhooks.test_webhook(call.principal, call.now, call.path["webhook_id"])
    )


@app.route("GET /v1/organization/webhooks/{webhook_id}/attempts")
def list_webhook_attempts(call: Call[WebhooksWiring]) -> Reply:
    limit, after = page_request(call.query, "att")
    attempts = call.wiring.webhooks.list_webhook_attempts(
        call.principal, call.now, call.path["webhook_id"], limit=limit, after=after
    )
    return Reply(page(*attempts))


@app.route("POST /v1/organization/webhooks/{webhook_id}/messages/{message_id}/resend")
def resend_webhook_message(call: Call[WebhooksWiring]) -> Reply:
    message = call.wiring.webhooks.resend_webhook_message(
        call.principal, call.now, call.path["webhook_id"], call.path["message_id"]
    )
    return Reply(message)


handler = app.handler
