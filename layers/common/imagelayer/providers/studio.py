"""The built-in model as a provider: offline, deterministic, no key.

Of a picture to start from it makes nothing new: the brand is laid on it as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.providers.models import Order
from imagelayer.providers.pictures import from_source
from imagelayer.render import studio

if TYPE_CHECKING:
    from PIL import Image


class Studio:
    """Paints from the prompt, the guidelines, the palette and the seed."""

    def generate(self, order: Order) -> Image.Image:
        """One RGB picture of exactly the size asked for; same order, same pixels."""
        if order.source is not None:
            return from_source(order.source, order.width, order.height)
        return studio.paint(
            order.prompt,
            seed=order.seed,
            width=order.width,
            height=order.height,
            palette=order.palette,
            guidelines=order.guidelines,
        )
