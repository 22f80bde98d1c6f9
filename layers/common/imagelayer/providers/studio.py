"""The built-in model as a provider: offline, deterministic, no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.providers.models import Order
from imagelayer.render import studio

if TYPE_CHECKING:
    from PIL import Image


class Studio:
    """Paints from the prompt, the guidelines, the palette and the seed."""

    def generate(self, order: Order) -> Image.Image:
        """One RGB picture of exactly the size asked for; same order, same pixels."""
        return studio.paint(
            order.prompt,
            seed=order.seed,
            width=order.width,
            height=order.height,
            palette=order.palette,
            guidelines=order.guidelines,
        )
