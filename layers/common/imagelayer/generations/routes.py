"""Routes of generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.route import PAGE, Route, lazy, route_table

if TYPE_CHECKING:
    from imagelayer.generations import schemas
else:
    schemas = lazy("imagelayer.generations.schemas")

ROUTES = route_table(
    Route(
        "POST /v1/generations",
        tag="Generations",
        function="generation",
        operation="createGeneration",
        summary="Ask for images",
        auth="user_or_key",
        limit="generation-create",
        status=202,
        answer=lambda: schemas.Generation,
        body=lambda: schemas.CreateGenerationRequest,
        scope="generations:write",
        problems=("insufficient_credits", "generation_cap_reached", "model_shut_down"),
        end_user=True,
        idempotent="organization",
        by_attempt=True,
        also=(200,),
        shared=("organization-generations", "end-user-generations"),
    ),
    Route(
        "POST /v1/generations/{generation_id}/cancel",
        tag="Generations",
        function="generation",
        operation="cancelGeneration",
        summary="Stop a generation that has not finished; its credits come back",
        auth="user_or_key",
        limit="generation-create",
        status=200,
        answer=lambda: schemas.Generation,
        scope="generations:write",
        problems=("conflict",),
        end_user=True,
    ),
    Route(
        "GET /v1/generations",
        tag="Generations",
        function="generation",
        operation="listGenerations",
        summary="List generations",
        auth="user_or_key",
        limit="generation-read",
        status=200,
        answer=lambda: schemas.GenerationList,
        scope="generations:read",
        query=PAGE,
    ),
    Route(
        "GET /v1/generations/{generation_id}",
        tag="Generations",
        function="generation",
        operation="getGeneration",
        summary="Read a generation",
        auth="user_or_key",
        limit="generation-read",
        status=200,
        answer=lambda: schemas.Generation,
        scope="generations:read",
        end_user=True,
        query=("wait",),
    ),
    Route(
        "DELETE /v1/generations/{generation_id}",
        tag="Generations",
        function="generation",
        operation="deleteGeneration",
        summary="Remove a generation, its prompt and its images now",
        auth="user_or_key",
        limit="generation-create",
        status=204,
        scope="generations:write",
        problems=("conflict",),
    ),
    Route(
        "GET /v1/assets/{asset_id}",
        tag="Assets",
        function="asset_delivery",
        operation="getAsset",
        summary="An image's record and a fresh signed link",
        auth="user_or_key",
        limit="asset-read",
        status=200,
        answer=lambda: schemas.Asset,
        scope="assets:read",
        problems=("expired",),
        end_user=True,
    ),
    Route(
        "GET /v1/assets/{asset_id}/content",
        tag="Assets",
        function="asset_delivery",
        operation="getAssetContent",
        summary="Redirect to the image",
        auth="user_or_key",
        limit="asset-read",
        status=302,
        scope="assets:read",
        problems=("expired",),
        end_user=True,
    ),
)
