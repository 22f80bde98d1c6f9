"""Palette treatment: a picture's tones are moved towards the brand's."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image

from imagelayer.render.color import RAMP_STEPS, Palette, rgb_to_lab

TINT_STRENGTHS = (0.35, 0.55, 0.75, 1.0)


def duotone(picture: Image.Image, palette: Sequence[str]) -> Image.Image:
    """Paint a picture's light and shade in the palette's own ramp."""
    gray = picture.convert("L")
    return Image.merge("RGB", [gray.point(table) for table in _tables(tuple(palette))])


def tint(picture: Image.Image, palette: Sequence[str], strength: float) -> Image.Image:
    """Move a picture towards its duotone; `strength` 0 leaves it, 1 is the duotone."""
    return Image.blend(picture.convert("RGB"), duotone(picture, palette), strength)


@lru_cache(maxsize=16)
def _tables(palette: tuple[str, ...]) -> list[list[int]]:
    """For each channel, the ramp's value for each gray of the same relative lightness."""
    brand = Palette(palette)
    lightness = np.maximum.accumulate(brand.ramp_lab[:, 0])
    grays = rgb_to_lab(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))[:, 0]
    wanted = lightness[0] + (lightness[-1] - lightness[0]) * grays
    places = np.clip(np.searchsorted(lightness, wanted), 0, RAMP_STEPS - 1)
    colors = brand.ramp[places]
    return [colors[:, channel].tolist() for channel in range(3)]
