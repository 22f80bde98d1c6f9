"""Pictures from OpenAI, or from any server that speaks its images API.

https://github.com/openai/openai-openapi (POST /images/generations, /images/edits)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from urllib3.filepost import encode_multipart_formdata

from imagelayer.image_models.calls import (
    Attempts,
    NothingDone,
    ProviderResponse,
    exchange,
    retry_after,
)
from imagelayer.image_models.image_model import GenerationRefused, ImageRequest
from imagelayer.image_models.pictures import from_base64, from_bytes, source_png
from imagelayer.image_models.prompting import words
from imagelayer.image_models.sizes import Bounds, covering, nearest_ratio, nearest_size
from imagelayer.platform.frozen import frozen

if TYPE_CHECKING:
    from PIL import Image

# The sizes of GPT image models that are not limited to a list: the size constraints in
# developers.openai.com/api/docs/guides/image-generation.
_GPT_IMAGE = {"min_pixels": 655_360, "max_pixels": 8_294_400, "max_side": 3840}

_FILTERED = frozenset({"content_policy_violation", "content_filter", "moderation_blocked"})
_NO_MONEY = frozenset(
    {
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_quota",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
    }
)
_BY_STATUS = {
    401: "provider_misconfigured",
    402: "provider_quota",
    403: "provider_misconfigured",
    408: "provider_timeout",
    504: "provider_timeout",
}


@frozen
class OpenAi:
    """`base_url` ends in the API's version, without a slash; `key` is called for each picture, so
    a rotated one is picked up."""

    http: urllib3.PoolManager
    base_url: str
    key: Callable[[], str]
    attempts: Attempts

    def generate(self, request: ImageRequest) -> Image.Image:
        """One RGB picture of exactly the requested size. Raises GenerationRefused."""
        path, content_type, body = _edit(request) if request.source else _generation(request)

        def ask(seconds: float) -> ProviderResponse:
            answer = exchange(
                self.http,
                "POST",
                f"{self.base_url}/images/{path}",
                headers={**self._authorization(), "Content-Type": content_type},
                body=body,
                seconds=seconds,
            )
            if answer.status != 200:
                raise _failure(answer, self.attempts.clock())
            return answer

        def picture(seconds: float) -> Image.Image:
            return self._picture(ask(seconds), request)

        return self.attempts.make(request, picture)

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key()}"}

    def _picture(self, answer: ProviderResponse, request: ImageRequest) -> Image.Image:
        data = answer.json().get("data")
        if not isinstance(data, list) or not data or not isinstance(data[0], dict):
            raise GenerationRefused("provider_bad_image")
        encoded = data[0].get("b64_json")
        if encoded:
            return from_base64(encoded, request.width, request.height)
        found = self._fetch(data[0].get("url"), request.deadline - self.attempts.clock())
        return from_bytes(found, request.width, request.height)

    def _fetch(self, url: object, seconds: float) -> bytes:
        """A picture that the server links to instead of sending it, from that server only: another
        link could be an address inside our own network."""
        if not isinstance(url, str) or _origin(url) != _origin(self.base_url) or seconds <= 0:
            raise GenerationRefused("provider_bad_image")
        try:
            answer = exchange(self.http, "GET", url, headers=self._authorization(), seconds=seconds)
        except NothingDone:
            # No retry: the picture is made and billed.
            raise GenerationRefused("provider_bad_image") from None
        if answer.status != 200:
            raise GenerationRefused("provider_bad_image")
        return answer.body


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    with suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    return None


def _generation(request: ImageRequest) -> tuple[str, str, bytes]:
    return "generations", "application/json", json.dumps(_fields(request)).encode()


def _edit(request: ImageRequest) -> tuple[str, str, bytes]:
    fields = {name: str(value) for name, value in _fields(request).items() if name != "moderation"}
    picture = ("picture.png", source_png(request.source or b""), "image/png")
    body, content_type = encode_multipart_formdata({**fields, "image": picture})
    return "edits", content_type, body


def _fields(request: ImageRequest) -> dict[str, Any]:
    """No `user` and no `safety_identifier`: we never identify the end user."""
    fields: dict[str, Any] = {
        # Always: the API's default model has been shut down.
        "model": request.model.provider_model_id,
        "prompt": words(request),
        "n": 1,
        "size": _size(request),
    }
    if not _is_gpt_image(request):
        # Other models return URLs by default; GPT image models reject this parameter.
        return {**fields, "response_format": "b64_json"}
    formats = request.model.formats
    # OpenAI documents JPEG as faster.
    output_format = "jpeg" if "jpeg" in formats else "png"
    return {**fields, "output_format": output_format, "moderation": "auto"}


def _is_gpt_image(request: ImageRequest) -> bool:
    """Also behind a gateway that prefixes the name with its provider, as "openai/gpt-image-2"."""
    name = request.model.provider_model_id.rpartition("/")[2]
    return name.startswith(("gpt-image-", "chatgpt-image-"))


def _size(request: ImageRequest) -> str:
    model, wanted = request.model, (request.width, request.height)
    if model.sizes:
        width, height = nearest_size(model.sizes, wanted)
        return f"{width}x{height}"
    if model.ratios:
        wanted = covering(nearest_ratio(model.ratios, wanted), wanted)
    bounds = Bounds(
        step=model.multiple_of,
        max_ratio=model.max_ratio,
        **_GPT_IMAGE if _is_gpt_image(request) else {"max_side": model.max_side},
    )
    width, height = bounds.nearest(wanted)
    return f"{width}x{height}"


def _failure(answer: ProviderResponse, now: float) -> Exception:
    """The failure that a response without a picture means."""
    error = answer.json().get("error")
    known = error if isinstance(error, Mapping) else {}
    said = {str(known.get("code")), str(known.get("type"))}
    if said & _FILTERED:
        return GenerationRefused("content_filtered")
    if said & _NO_MONEY:
        return GenerationRefused("provider_quota")
    if "model_not_found" in said or (answer.status == 404 and known):
        return GenerationRefused("model_unavailable")
    if answer.status in {429, 503}:
        code = "provider_rate_limited" if answer.status == 429 else "provider_unavailable"
        return NothingDone(code, retry_after(answer.headers, now))
    return GenerationRefused(_BY_STATUS.get(answer.status) or _by_kind(answer.status))


def _by_kind(status: int) -> str:
    if status >= 500:
        return "provider_unavailable"
    # A web page or a redirect means that the address is not the API's.
    return "provider_rejected" if status >= 400 else "provider_bad_image"
