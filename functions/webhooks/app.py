"""Webhook endpoints: create, read, change, rotate, test, and the log of their attempts."""

from imagelayer.http import App, Call, Reply, made
from imagelayer.http.body import given
from imagelayer.http.paging import page, page_request
from imagelayer.webhooks.routes import ROUTES
from imagelayer.webhooks.wiring import WebhooksWiring

app = App("webhooks", WebhooksWiring, ROUTES)


@app.route("POST /v1/organization/webhooks")
def create(call: Call[WebhooksWiring]) -> Reply:
    webhook = call.wiring.webhooks.create(
        call.principal, call.origin, call.now, idempotency=call.idempotency, **given(call.body)
    )
    return made(webhook)


@app.route("GET /v1/organization/webhooks")
def list_webhooks(call: Call[WebhooksWiring]) -> Reply:
    limit, after = page_request(call.query, "whk")
    return Reply(page(*call.wiring.webhooks.page(call.principal, limit=limit, after=after)))


@app.route("GET /v1/organization/webhooks/{webhook_id}")
def get(call: Call[WebhooksWiring]) -> Reply:
    return Reply(call.wiring.webhooks.get(call.principal, call.path["webhook_id"]))


@app.route("PATCH /v1/organization/webhooks/{webhook_id}")
def change(call: Call[WebhooksWiring]) -> Reply:
    changed = call.wiring.webhooks.change(
        call.principal, call.origin, call.now, call.path["webhook_id"], given(call.body)
    )
    return Reply(changed)


@app.route("DELETE /v1/organization/webhooks/{webhook_id}")
def delete(call: Call[WebhooksWiring]) -> Reply:
    call.wiring.webhooks.delete(call.principal, call.origin, call.path["webhook_id"])
    return Reply()


@app.route("POST /v1/organization/webhooks/{webhook_id}/rotate")
def rotate(call: Call[WebhooksWiring]) -> Reply:
    rotated = call.wiring.webhooks.rotate(
        call.principal,
        call.origin,
        call.now,
        call.path["webhook_id"],
        grace_seconds=call.body.grace_seconds,
        idempotency=call.idempotency,
    )
    return made(rotated)


@app.route("POST /v1/organization/webhooks/{webhook_id}/test")
def test(call: Call[WebhooksWiring]) -> Reply:
    return Reply(call.wiring.webhooks.test(call.principal, call.now, call.path["webhook_id"]))


@app.route("GET /v1/organization/webhooks/{webhook_id}/attempts")
def list_attempts(call: Call[WebhooksWiring]) -> Reply:
    limit, after = page_request(call.query, "att")
    attempts = call.wiring.webhooks.attempts(
        call.principal, call.now, call.path["webhook_id"], limit=limit, after=after
    )
    return Reply(page(*attempts))


@app.route("POST /v1/organization/webhooks/{webhook_id}/messages/{message_id}/resend")
def resend(call: Call[WebhooksWiring]) -> Reply:
    message = call.wiring.webhooks.resend(
        call.principal, call.now, call.path["webhook_id"], call.path["message_id"]
    )
    return Reply(message)


handler = app.handler
