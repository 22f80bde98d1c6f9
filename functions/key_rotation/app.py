"""The life of API keys: create, read, change, rotate, revoke."""

from imagelayer.access.routes import ROUTES
from imagelayer.access.wiring import AccessWiring
from imagelayer.http import App, Call, Reply, made
from imagelayer.http.body import given
from imagelayer.http.paging import page, page_request

app = App("key_rotation", AccessWiring, ROUTES)


@app.route("POST /v1/keys")
def create(call: Call[AccessWiring]) -> Reply:
    key = call.wiring.api_keys.create(
        call.principal,
        call.origin,
        call.now,
        idempotency=call.idempotency,
        **given(call.body),
    )
    return made(key)


@app.route("GET /v1/keys")
def list_keys(call: Call[AccessWiring]) -> Reply:
    limit, after = page_request(call.query, "key")
    return Reply(page(*call.wiring.api_keys.page(call.principal, limit=limit, after=after)))


@app.route("GET /v1/keys/self")
def get_own(call: Call[AccessWiring]) -> Reply:
    return Reply(call.wiring.api_keys.own(call.principal))


@app.route("GET /v1/keys/{key_id}")
def get(call: Call[AccessWiring]) -> Reply:
    return Reply(call.wiring.api_keys.get(call.principal, call.path["key_id"]))


@app.route("PATCH /v1/keys/{key_id}")
def change(call: Call[AccessWiring]) -> Reply:
    changed = call.wiring.api_keys.change(
        call.principal, call.origin, call.now, call.path["key_id"], given(call.body)
    )
    return Reply(changed)


@app.route("DELETE /v1/keys/{key_id}")
def revoke(call: Call[AccessWiring]) -> Reply:
    call.wiring.api_keys.revoke(call.principal, call.origin, call.now, call.path["key_id"])
    return Reply()


@app.route("POST /v1/keys/{key_id}/rotate")
def rotate(call: Call[AccessWiring]) -> Reply:
    rotated = call.wiring.api_keys.rotate(
        call.principal,
        call.origin,
        call.now,
        call.path["key_id"],
        grace_seconds=call.body.grace_seconds,
        idempotency=call.idempotency,
    )
    return made(rotated)


handler = app.handler
