"""The life of API keys: create, read, change, rotate, revoke."""

from imagelayer.access.routes import ROUTES
from imagelayer.access.wiring import AccessWiring
from imagelayer.http import App, Call, Reply, created
from imagelayer.http.body import sent_fields
from imagelayer.http.paging import page, page_request

app = App("key_rotation", AccessWiring, ROUTES)


@app.route("POST /v1/keys")
def create_key(call: Call[AccessWiring]) -> Reply:
    key = call.wiring.api_keys.create_key(
        call.principal,
        call.origin,
        call.now,
        idempotency=call.idempotency,
        **sent_fields(call.body),
    )
    return created(key)


@app.route("GET /v1/keys")
def list_keys(call: Call[AccessWiring]) -> Reply:
    limit, after = page_request(call.query, "key")
    return Reply(page(*call.wiring.api_keys.list_keys(call.principal, limit=limit, after=after)))


@app.route("GET /v1/keys/self")
def get_own_key(call: Call[AccessWiring]) -> Reply:
    return Reply(call.wiring.api_keys.get_own_key(call.principal))


@app.route("GET /v1/keys/{key_id}")
def get_key(call: Call[AccessWiring]) -> Reply:
    return Reply(call.wiring.api_keys.get_key(call.principal, call.path["key_id"]))


@app.route("PATCH /v1/keys/{key_id}")
def update_key(call: Call[AccessWiring]) -> Reply:
    changed = call.wiring.api_keys.update_key(
        call.principal, call.origin, call.now, call.path["key_id"], sent_fields(call.body)
    )
    return Reply(changed)


@app.route("DELETE /v1/keys/{key_id}")
def revoke_key(call: Call[AccessWiring]) -> Reply:
    call.wiring.api_keys.revoke_key(call.principal, call.origin, call.now, call.path["key_id"])
    return Reply()


@app.route("POST /v1/keys/{key_id}/rotate")
def rotate_key(call: Call[AccessWiring]) -> Reply:
    rotated = call.wiring.api_keys.rotate_key(
        call.principal,
        call.origin,
        call.now,
        call.path["key_id"],
        grace_seconds=call.body.grace_seconds,
        idempotency=call.idempotency,
    )
    return created(rotated)


handler = app.handler
