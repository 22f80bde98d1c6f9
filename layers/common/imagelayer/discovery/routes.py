"""Routes of discovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.route import Route, lazy, route_table

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
        summary="Whether the API answers",
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
        summary="This description",
        auth="none",
        limit="public-read",
        status=200,
    ),
    Route(
        "GET /.well-known/jwks.json",
        tag="Discovery",
        function="discovery",
        operation="getJwks",
        summary="Public signing keys",
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
        summary="How to report a vulnerability (RFC 9116)",
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
        summary="The bundled fonts and their weights",
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
        summary="Platform sizes by name",
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
        summary="What we promise, and the tests that show it",
        auth="none",
        limit="public-read",
        status=200,
        content_type="text/html",
    ),
)
