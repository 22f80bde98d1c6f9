"""Routes of access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.query import page_of
from imagelayer.api.route import Route, route_table
from imagelayer.platform.lazy import lazy

if TYPE_CHECKING:
    from imagelayer.access import schemas
else:
    schemas = lazy("imagelayer.access.schemas")

ROUTES = route_table(
    Route(
        "POST /v1/auth/session",
        tag="End-user sessions",
        function="session",
        operation="createEndUserSession",
        summary="Create a session for an end user",
        description=(
            "Call it from your server. The token lives an hour at most and carries some of the "
            "key's scopes."
        ),
        auth="key",
        limit="end-user-session-mint",
        status=201,
        answer=lambda: schemas.EndUserSession,
        body=lambda: schemas.CreateEndUserSessionRequest,
        scope="sessions:write",
        idempotent="actor",
    ),
    Route(
        "POST /v1/auth/session/revoke",
        tag="End-user sessions",
        function="session",
        operation="revokeEndUserSessions",
        summary="Revoke sessions of an end user, of a key, or of the organization",
        auth="user_or_key",
        limit="end-user-session-revoke",
        status=200,
        answer=lambda: schemas.RevokedSessions,
        body=lambda: schemas.RevokeEndUserSessionsRequest,
        scope="sessions:write",
    ),
    Route(
        "POST /v1/keys",
        tag="API keys",
        function="key_rotation",
        operation="createKey",
        summary="Create an API key",
        description="The key is shown once, in this answer.",
        auth="user",
        limit="key-write",
        status=201,
        answer=lambda: schemas.CreatedKey,
        body=lambda: schemas.CreateKeyRequest,
        scope="keys:write",
        problems=("key_limit_reached", "conflict"),
        idempotent="actor",
    ),
    Route(
        "GET /v1/keys",
        tag="API keys",
        function="key_rotation",
        operation="listKeys",
        summary="List API keys",
        auth="user",
        limit="key-read",
        status=200,
        answer=lambda: schemas.KeyList,
        scope="keys:read",
        query=page_of("key"),
    ),
    Route(
        "GET /v1/keys/self",
        tag="API keys",
        function="key_rotation",
        operation="getOwnKey",
        summary="Get the API key that makes the call",
        description="Needs no scope.",
        auth="key",
        limit="key-read",
        status=200,
        answer=lambda: schemas.ApiKey,
    ),
    Route(
        "GET /v1/keys/{key_id}",
        tag="API keys",
        function="key_rotation",
        operation="getKey",
        summary="Get an API key",
        auth="user",
        limit="key-read",
        status=200,
        answer=lambda: schemas.ApiKey,
        scope="keys:read",
    ),
    Route(
        "PATCH /v1/keys/{key_id}",
        tag="API keys",
        function="key_rotation",
        operation="updateKey",
        summary="Update an API key",
        description="Rename it, disable or enable it, or restrict it to networks.",
        auth="user",
        limit="key-write",
        status=200,
        answer=lambda: schemas.ApiKey,
        body=lambda: schemas.UpdateKeyRequest,
        scope="keys:write",
        problems=("conflict",),
    ),
    Route(
        "DELETE /v1/keys/{key_id}",
        tag="API keys",
        function="key_rotation",
        operation="revokeKey",
        summary="Revoke an API key",
        description="The key is refused from the next request on. Sessions minted with it end too.",
        auth="user",
        limit="key-write",
        status=204,
        scope="keys:write",
        problems=("conflict",),
    ),
    Route(
        "POST /v1/keys/{key_id}/rotate",
        tag="API keys",
        function="key_rotation",
        operation="rotateKey",
        summary="Rotate an API key's secret",
        description="Returns a new secret, once. The old one works until the grace period ends.",
        auth="user_or_key",
        limit="key-write",
        status=201,
        answer=lambda: schemas.RotatedKey,
        body=lambda: schemas.RotateKeyRequest,
        scope="keys:rotate",
        problems=("conflict",),
        idempotent="actor",
    ),
    Route(
        "POST /v1/leaked-keys",
        tag="API keys",
        function="leaked_keys",
        operation="reportLeakedKeys",
        summary="Report leaked keys",
        description=(
            "For GitHub's secret scanning partner program; the request is authenticated by its "
            "signature. Each reported secret key of this deployment is revoked."
        ),
        auth="none",
        limit="leaked-keys",
        status=200,
        answer=lambda: list[schemas.LeakVerdict],
        body=lambda: list[schemas.LeakedKey],
        problems=("signature_refused", "conflict"),
        signed=True,
    ),
)
