"""Pictures from Google's Gemini models, by `generateContent`.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import urllib3

from imagelayer.image_models.calls import (
    Attempts,
    NothingDone,
    ProviderResponse,
    exchange,
    retry_after,
)
from imagelayer.image_models.image_model import GenerationRefused, ImageRequest
from imagelayer.image_models.pictures import from_base64, source_png
from imagelayer.image_models.prompting import words
from imagelayer.image_models.sizes import nearest_ratio, ratio_of
from imagelayer.platform.frozen import frozen

if TYPE_CHECKING:
    from PIL import Image

# FinishReason and BlockedReason of the API that concern the prompt or the picture.
_FILTERED = frozenset(
    {
        "BLOCKLIST",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SAFETY",
        "SPII",
    }
)
_BY_STATUS = {
    401: "provider_misconfigured",
    403: "provider_misconfigured",
    404: "model_unavailable",
    408: "provider_timeout",
    504: "provider_timeout",
}


@frozen
class Google:
    """`base_url` ends in the API's version, without a slash; `key` is called for each picture, so
    a rotated one is picked up."""

    http: urllib3.PoolManager
    base_url: str
    key: Callable[[], str]
    attempts: Attempts

    def generate(self, request: ImageRequest) -> Image.Image:
        """One RGB picture of exactly the requested size. Raises GenerationRefused."""
        body = json.dumps(_request(request)).encode()

        def ask(seconds: float) -> Image.Image:
            answer = exchange(
                self.http,
                "POST",
                f"{self.base_url}/models/{request.model.provider_model_id}:generateContent",
                # Never `?key=`: addresses are logged on their way.
                headers={"x-goog-api-key": self.key(), "Content-Type": "application/json"},
                body=body,
                seconds=seconds,
            )
            if answer.status != 200:
                raise _failure(answer, self.attempts.clock())
            return from_base64(_picture(answer), request.width, request.height)

        return self.attempts.make(request, ask)


def _request(request: ImageRequest) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": words(request)}]
    if request.source:
        data = base64.b64encode(source_png(request.source)).decode()
        parts.append({"inlineData": {"mimeType": "image/png", "data": data}})
    config: dict[str, Any] = {"responseModalities": ["IMAGE"]}
    if image := _image_config(request):
        config["imageConfig"] = image
    return {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": config,
        # Projects made since 2026-10-26 keep requests for 55 days unless each says not to:
        # https://ai.google.dev/gemini-api/docs/logs-datasets
        "store": False,
    }


def _image_config(request: ImageRequest) -> dict[str, str]:
    if not request.model.ratios:
        return {}
    ratio = nearest_ratio(request.model.ratios, (request.width, request.height))
    size = _tier(request, ratio)
    # A request without a size gets 1K, also from models that have no other.
    return {"aspectRatio": ratio} | ({} if size == "1K" else {"imageSize": size})


def _tier(request: ImageRequest, ratio: str) -> str:
    """The smallest of 1K, 2K and 4K that need not be enlarged; each is about so many thousand
    pixels squared, in the shape of the ratio."""
    across, down = ratio_of(ratio)
    # The side of a square with as many pixels as the smallest picture of this ratio that covers.
    scale = max(request.width / across, request.height / down)
    side = scale * math.sqrt(across * down)
    return "1K" if side <= 1024 else "2K" if side <= 2048 else "4K"


def _picture(answer: ProviderResponse) -> str:
    """The base64 of the picture. Raises GenerationRefused: this API refuses with a 200 without a
    picture."""
    body = answer.json()
    if not body:
        raise GenerationRefused("provider_bad_image")
    feedback = body.get("promptFeedback")
    if isinstance(feedback, Mapping) and feedback.get("blockReason"):
        raise GenerationRefused("content_filtered")
    candidates = body.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else {}
    if not isinstance(first, Mapping):
        raise GenerationRefused("provider_bad_image")
    reason = first.get("finishReason")
    if reason in _FILTERED:
        raise GenerationRefused("content_filtered")
    pictures = list(_inline_data(first))
    if pictures:
        return pictures[-1]
    # STOP with text only means that the model declined; other reasons are not refusals.
    raise GenerationRefused("content_filtered" if reason == "STOP" else "provider_rejected")


def _inline_data(candidate: Mapping[str, Any]) -> Iterator[str]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else None
    for part in parts if isinstance(parts, list) else []:
        # Thoughts may hold drafts of the picture.
        if not isinstance(part, Mapping) or part.get("thought"):
            continue
        inline = part.get("inlineData") or part.get("inline_data")
        if isinstance(inline, Mapping) and isinstance(inline.get("data"), str):
            yield inline["data"]


def _failure(answer: ProviderResponse, now: float) -> Exception:
    """The failure that an error means: https://ai.google.dev/gemini-api/docs/troubleshooting"""
    error = answer.json().get("error")
    known = error if isinstance(error, Mapping) else {}
    listed = known.get("details")
    details = [each for each in listed if isinstance(each, Mapping)] if listed else []
    if answer.status == 400:
        return GenerationRefused(_bad_request(known, details))
    if answer.status == 429:
        if any(_is_daily(each) for each in details):
            return GenerationRefused("provider_quota")
        return NothingDone("provider_rate_limited", _delay(details, answer, now))
    if answer.status == 503:
        return NothingDone("provider_unavailable", _delay(details, answer, now))
    if answer.status == 404 and not known:
        return GenerationRefused("provider_misconfigured")
    kind = "provider_unavailable" if answer.status >= 500 else "provider_rejected"
    return GenerationRefused(_BY_STATUS.get(answer.status, kind))


def _bad_request(error: Mapping[str, Any], details: list[Mapping[str, Any]]) -> str:
    # FAILED_PRECONDITION: no billing, or not from this country.
    if error.get("status") == "FAILED_PRECONDITION":
        return "provider_misconfigured"
    reasons = {str(each.get("reason")) for each in details}
    return "provider_misconfigured" if "API_KEY_INVALID" in reasons else "provider_rejected"


def _is_daily(detail: Mapping[str, Any]) -> bool:
    """Whether a daily quota is used up, which no pause helps."""
    violations = detail.get("violations")
    return isinstance(violations, list) and any(
        isinstance(each, Mapping) and "PerDay" in str(each.get("quotaId")) for each in violations
    )


def _delay(details: list[Mapping[str, Any]], answer: ProviderResponse, now: float) -> float | None:
    """Seconds to wait: google.rpc.RetryInfo's "37s", or the header's."""
    for detail in details:
        delay = str(detail.get("retryDelay", ""))
        if delay.endswith("s") and delay[:-1].replace(".", "", 1).isdigit():
            return float(delay[:-1])
    return retry_after(answer.headers, now)
