"""Routes of discovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.route import Route, route_table
from imagelayer.platform.lazy import lazy

if TYPE_CHECKING:
    from imagelayer.discovery import schemas
else:
    schemas = lazy("imagelayer.discovery.schemas")

ROUTES = route_table(
    Route(
        "GET /v1/health",
        tag="Discovery",
        function="discovery",
        operation="getHealth",
        summary="Check that the API answers",
        auth="none",
        limit="public-read",
        status=200,
        answer=lambda: schemas.Health,
    ),
    Route(
        "GET /openapi.json",
        tag="Discovery",
        function="discovery",
        operation="getOpenApi",
        summary="Get this API description",
        auth="none",
        limit="public-read",
        status=200,
    ),
    Route(
        "GET /.well-known/jwks.json",
        tag="Discovery",
        function="discovery",
        operation="getJwks",
        summary="Get the public signing keys",
        description="Verify access tokens and session tokens with them (RFC 7517).",
        auth="none",
        limit="public-read",
        status=200,
        answer=lambda: schemas.Jwks,
    ),
    Route(
        "GET /.well-known/security.txt",
        tag="Discovery",
        function="discovery",
        operation="getSecurityTxt",
        summary="Get the contact for vulnerability reports",
        description="RFC 9116.",
        auth="none",
        limit="public-read",
        status=200,
        content_type="text/plain",
    ),
    Route(
        "GET /v1/fonts",
        tag="Discovery",
        function="discovery",
        operation="listFonts",
        summary="List the bundled fonts and their weights",
        auth="none",
        limit="public-read",
        status=200,
        answer=lambda: schemas.FontList,
    ),
    Route(
        "GET /v1/presets",
        tag="Discovery",
        function="discovery",
        operation="listPresets",
        summary="List the platform sizes by name",
        auth="none",
        limit="public-read",
        status=200,
        answer=lambda: schemas.PresetList,
    ),
    Route(
        "GET /security",
        tag="Discovery",
        function="discovery",
        operation="getSecurityPage",
        summary="Get the security page",
        description="Each promise with the tests that prove it.",
        auth="none",
        limit="public-read",
        status=200,
        content_type="text/html",
    ),
)

# The gateway's own route for what none of the routes above takes. It is not an operation of the
# API, so it is in no table of them.
UNROUTED = route_table(
    Route(
        "$default",
        tag="Discovery",
        function="fallback",
        operation="answerUnrouted",
        summary="Answer what no route serves",
        auth="none",
        limit="unrouted",
        status=204,
    ),
)
