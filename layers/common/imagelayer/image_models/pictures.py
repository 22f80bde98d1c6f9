"""Pictures from providers and from callers; neither is trusted.

A provider's bytes are checked for size, format and number of pixels before they are decoded, in a
process of their own, and leave here as fresh RGB pixels. A caller's picture loses its camera's
metadata before a provider sees it.
"""

from __future__ import annotations

import base64
import binascii
import io

from PIL import Image

from imagelayer.image_models.image_model import GenerationRefused
from imagelayer.render.encode import cover
from imagelayer.render.intake import UnusableImage, fitted, sanitize

# A PNG of 16 megapixels of noise is 48 MB; what models make is a tenth of that.
MAX_BYTES = 32 * 1024 * 1024


def from_base64(text: object, width: int, height: int) -> Image.Image:
    """One RGB picture of exactly that size out of a provider's base64. Raises GenerationRefused."""
    if not isinstance(text, str) or len(text) > MAX_BYTES * 4 // 3 + 4:
        raise GenerationRefused("provider_bad_image")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise GenerationRefused("provider_bad_image") from None
    return from_bytes(data, width, height)


def from_bytes(data: bytes, width: int, height: int) -> Image.Image:
    """One RGB picture of exactly that size out of a provider's PNG, JPEG or WebP: scaled until it
    covers the size, cut evenly, transparency over white. Raises GenerationRefused."""
    if len(data) > MAX_BYTES:
        raise GenerationRefused("provider_bad_image")
    return _fitted(data, width, height, "provider_bad_image")


def from_source(data: bytes, width: int, height: int) -> Image.Image:
    """A caller's picture as RGB of exactly that size. Raises GenerationRefused("invalid_image")."""
    return _fitted(data, width, height, "invalid_image")


def _fitted(data: bytes, width: int, height: int, otherwise: str) -> Image.Image:
    try:
        return fitted(data, width, height)
    except UnusableImage:
        raise GenerationRefused(otherwise) from None


def source_png(data: bytes, size: tuple[int, int] | None = None) -> bytes:
    """A caller's picture as a PNG without metadata, cut to a size where one is given. Raises
    GenerationRefused("invalid_image")."""
    try:
        clean = sanitize(data)
    except UnusableImage:
        raise GenerationRefused("invalid_image") from None
    if size is None:
        return clean.data
    picture = Image.open(io.BytesIO(clean.data), formats=("PNG",)).convert("RGB")
    out = io.BytesIO()
    cover(picture, *size).save(out, "PNG")
    return out.getvalue()
