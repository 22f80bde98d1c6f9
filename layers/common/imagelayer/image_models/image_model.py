"""The protocol every image model is spoken to through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from imagelayer.image_models.registry import Model
from imagelayer.platform.frozen import frozen

if TYPE_CHECKING:
    from PIL import Image


@frozen
class ImageRequest:
    """One picture to generate.

    `prompt` is the caller's text with the brand's suffix; `guidelines` are the brand's words and
    `palette` its colors ("#RRGGBB"), both empty when the brand does not shape the picture.
    `source` is a picture to start from, in PNG, JPEG or WebP, where the model takes one. `deadline`
    is when the answer must be here, in seconds of the provider's clock.
    """

    model: Model
    prompt: str
    guidelines: str
    palette: tuple[str, ...]
    width: int
    height: int
    seed: int
    deadline: float
    source: bytes | None = None


class ImageModel(Protocol):
    """One provider of pictures."""

    def generate(self, request: ImageRequest) -> Image.Image:
        """One RGB picture of exactly `width` by `height` pixels. Raises GenerationRefused."""
        ...


class GenerationRefused(Exception):
    """There will be no picture.

    `code` is one of `FAILURES`; `message` is public text and never the provider's.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = message or FAILURES[code]


# Every way a generation can fail, by its stable public code. Codes are contract: add, never rename.
FAILURES = {
    "brand_missing": "The brand was deleted before the image was made.",
    "content_filtered": "The model's content filter rejected the request.",
    "invalid_image": "The uploaded image cannot be read.",
    "model_unavailable": "The model is no longer available.",
    "provider_bad_image": "The model did not return a usable image.",
    "provider_misconfigured": "The model's provider rejected our credentials.",
    "provider_quota": "The provider account is out of quota.",
    "provider_rate_limited": "The model's provider is overloaded.",
    "provider_rejected": "The model's provider rejected the request.",
    "provider_timeout": "The model did not respond in time.",
    "provider_unavailable": "The model's provider cannot be reached.",
    "text_does_not_fit": "The text does not fit the image.",
    "timed_out": "The generation did not finish in time.",
}
# What the request or its organization caused. All others are failures of the provider or of ours,
# and cost nothing even where the provider has worked.
CAUSED_BY_CALLER = frozenset({"brand_missing", "invalid_image", "text_does_not_fit"})
