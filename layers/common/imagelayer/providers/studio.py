"""The built-in model as a provider: offline, deterministic, no key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagelayer.render import studio

if TYPE_CHECKING:
    from PIL import Image


class Studio:
    """Paints from the prompt, the guidelines, the palette and the seed."""

    def generate(
        self,
        prompt: str,
        *,
        guidelines: str,
        palette: Sequence[str],
        width: int,
        height: int,
        seed: int,
    ) -> Image.Image:
        """One RGB picture of exactly `width` by `height` pixels; same input, same pixels."""
        return studio.paint(
            prompt, seed=seed, width=width, height=height, palette=palette, guidelines=guidelines
        )
