"""Routes of generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.query import page_of
from imagelayer.api.route import Route, route_table
from imagelayer.generations.parameters import WAIT
from imagelayer.platform.lazy import lazy

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
        summary="Generate images",
        description=(
            "Reserves the credits and queues a job. Poll the generation, wait with `Prefer: "
            "wait`, or receive a webhook."
        ),
        auth="user_or_key",
        limit="generation-create",
        status=202,
        answer=lambda: schemas.Generation,
        body=lambda: schemas.CreateGenerationRequest,
        scope="generations:write",
        problems=(
            "insufficient_credits",
            "generation_cap_reached",
            "model_shut_down",
            "test_image_limit",
        ),
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
        summary="Cancel a generation",
        description=(
            "Stops a generation that has not finished. Free until the model's provider was asked; "
            "afterwards `credits` is the price of the images that it was asked for. The other "
            "credits are returned."
        ),
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
        description="Newest first, without their images.",
        auth="user_or_key",
        limit="generation-read",
        status=200,
        answer=lambda: schemas.GenerationList,
        scope="generations:read",
        query=page_of("gen"),
    ),
    Route(
        "GET /v1/generations/{generation_id}",
        tag="Generations",
        function="generation",
        operation="getGeneration",
        summary="Get a generation",
        description=(
            "With `wait`, holds the answer until it has finished, for up to 25 seconds, an end "
            "user's for 10. Waiting is limited by its seconds: with none left the answer comes at "
            "once."
        ),
        auth="user_or_key",
        limit="generation-read",
        status=200,
        answer=lambda: schemas.Generation,
        scope="generations:read",
        end_user=True,
        query=(WAIT,),
    ),
    Route(
        "DELETE /v1/generations/{generation_id}",
        tag="Generations",
        function="generation",
        operation="deleteGeneration",
        summary="Delete a generation",
        description=(
            "Deletes its prompt and images now rather than at 72 hours. A generation that has "
            "not finished is canceled first, at the same price."
        ),
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
        summary="Get an image's record and a new signed link",
        description="The link works for five minutes at most.",
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
        summary="Download an image",
        description="Redirects to a signed link.",
        auth="user_or_key",
        limit="asset-read",
        status=302,
        scope="assets:read",
        problems=("expired",),
        end_user=True,
    ),
)
