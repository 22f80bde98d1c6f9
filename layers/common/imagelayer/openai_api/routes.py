"""Routes of openai api."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.route import Route, route_table
from imagelayer.openai_api.parameters import HOP, IMAGES_AS, STREAM
from imagelayer.platform.lazy import lazy

if TYPE_CHECKING:
    from imagelayer.openai_api import schemas
else:
    schemas = lazy("imagelayer.openai_api.schemas")

# Every way a generation can fail, where the request is answered with its outcome.
FAILED = (
    "brand_missing",
    "content_filtered",
    "expired",
    "invalid_image",
    "model_unavailable",
    "provider_bad_image",
    "provider_misconfigured",
    "provider_quota",
    "provider_rate_limited",
    "provider_rejected",
    "provider_timeout",
    "provider_unavailable",
    "text_does_not_fit",
    "timed_out",
)
# A picture as multipart: the most that Lambda takes, 6 MB of base64 (Lambda quotas).
MAX_PICTURE_BYTES = 4_400_000

ROUTES = route_table(
    Route(
        "POST /v1/images/generations",
        tag="OpenAI-compatible",
        ignores_unknown=True,
        function="images",
        operation="createImage",
        summary="Generate images (OpenAI-compatible)",
        description="For `client.images.generate` of the `openai` client.",
        auth="user_or_key",
        limit="generation-create",
        status=200,
        answer=lambda: schemas.ImagesAnswer,
        body=lambda: schemas.ImagesRequest,
        scope="generations:write",
        problems=(
            "insufficient_credits",
            "model_shut_down",
            "test_image_limit",
            "conflict",
            *FAILED,
        ),
        idempotent="organization",
        by_attempt=True,
        also=(303,),
        shared=("organization-generations",),
    ),
    Route(
        "POST /v1/images/edits",
        tag="OpenAI-compatible",
        ignores_unknown=True,
        function="images",
        operation="createImageEdit",
        summary="Edit an image (OpenAI-compatible)",
        description="For `client.images.edit` of the `openai` client.",
        auth="user_or_key",
        limit="generation-create",
        status=200,
        answer=lambda: schemas.ImagesAnswer,
        body=lambda: schemas.ImageEditsRequest,
        scope="generations:write",
        problems=(
            "insufficient_credits",
            "model_shut_down",
            "test_image_limit",
            "conflict",
            *FAILED,
        ),
        idempotent="organization",
        by_attempt=True,
        also=(303,),
        form=lambda: schemas.ImageEditsForm,
        shared=("organization-generations",),
        max_body_bytes=MAX_PICTURE_BYTES,
    ),
    Route(
        "GET /v1/images/jobs/{generation_id}",
        tag="OpenAI-compatible",
        ignores_unknown=True,
        function="images",
        operation="awaitImage",
        summary="Wait for images (OpenAI-compatible)",
        description=(
            "The OpenAI-compatible routes redirect here when images take long. Clients follow "
            "automatically."
        ),
        auth="user_or_key",
        limit="generation-read",
        status=200,
        answer=lambda: schemas.ImagesAnswer,
        scope="generations:write",
        problems=("conflict", *FAILED),
        also=(303,),
        query=(HOP, IMAGES_AS, STREAM),
    ),
    Route(
        "GET /v1/models",
        tag="OpenAI-compatible",
        ignores_unknown=True,
        function="images",
        operation="listModels",
        summary="List models (OpenAI-compatible)",
        auth="user_or_key",
        limit="generation-read",
        status=200,
        answer=lambda: schemas.ModelList,
        scope="generations:read",
    ),
    Route(
        "GET /v1/models/{model_id}",
        tag="OpenAI-compatible",
        ignores_unknown=True,
        function="images",
        operation="getModel",
        summary="Get a model (OpenAI-compatible)",
        auth="user_or_key",
        limit="generation-read",
        status=200,
        answer=lambda: schemas.ModelDetails,
        scope="generations:read",
    ),
)
