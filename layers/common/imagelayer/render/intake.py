"""Uploads made safe: anything a customer sends becomes fresh pixels in a PNG, or a refusal.

The bytes of the upload never travel further: what leaves here was written by our own encoder from
decoded pixels, so trailing data, metadata and parser tricks stay behind. They are decoded in a
process of their own (`render.isolation`), after what can be counted was counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from imagelayer.platform.picture_bounds import TooMuchWork, check_work
from imagelayer.render import isolation

if TYPE_CHECKING:
    from PIL import Image

type Reason = Literal[
    "not_an_image",
    "unsupported_format",
    "too_many_pixels",
    "too_complex",
    "animated",
    "truncated",
    "empty",
]


class UnusableImage(Exception):
    """An upload that cannot become a brand asset; `reason` is a stable code."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True)
class CleanImage:
    """A decoded and re-encoded upload: PNG bytes (RGBA, sRGB, no metadata) and its pixel size."""

    data: bytes
    width: int
    height: int
    has_alpha: bool


def sanitize(data: bytes) -> CleanImage:
    """Decode an untrusted PNG, JPEG or WebP and encode its pixels anew.

    The result is upright, in sRGB, RGBA, at most LONGEST_SIDE on its longer side, and carries no
    metadata. Nothing is trimmed. Raises UnusableImage: "empty" for no bytes or a picture with no
    visible pixel, "not_an_image", "unsupported_format", "too_many_pixels" (over MAX_PIXELS by the
    header, before any pixel is decoded), "animated", "truncated", and "too_complex" for what would
    take more work, time or memory than a picture may.
    """
    made = _isolated("clean", data)
    return CleanImage(made.data, **made.about)


def fitted(data: bytes, width: int, height: int) -> Image.Image:
    """An untrusted picture over white, scaled until it covers the size and cut evenly, as RGB.
    Raises UnusableImage as `sanitize`."""
    from PIL import Image

    return Image.frombytes("RGB", (width, height), _isolated("fit", data, width, height).data)


def _isolated(operation: str, data: bytes, *arguments: int) -> isolation.Decoded:
    try:
        check_work(data)
        made = isolation.run(operation, data, *arguments)
    except (TooMuchWork, isolation.Exceeded):
        raise UnusableImage("too_complex") from None
    if "reason" in made.about:
        raise UnusableImage(made.about["reason"])
    return made
