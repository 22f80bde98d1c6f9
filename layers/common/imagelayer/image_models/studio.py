"""The built-in model as a provider: offline, deterministic, no key.

Of a picture to start from it makes nothing new: the brand is laid on it as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.image_models.image_model import ImageRequest
from imagelayer.image_models.pictures import from_source
from imagelayer.render import studio

if TYPE_CHECKING:
    from PIL import Image


class Studio:
    """Paints from the prompt, the guidelines, the palette and the seed."""

    def generate(self, request: ImageRequest) -> Image.Image:
        """One RGB picture of exactly the requested size; equal requests give equal pixels."""
        if request.source is not None:
            return from_source(request.source, request.width, request.height)
        return studio.paint(
            request.prompt,
            seed=request.seed,
            width=request.width,
            height=request.height,
            palette=request.palette,
            guidelines=request.guidelines,
        )
