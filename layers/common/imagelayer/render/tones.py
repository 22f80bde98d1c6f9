"""The colors a design is set in: a palette's own wherever they read, tones of them elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from imagelayer.render.color import (
    Floats,
    Palette,
    as_rgb,
    contrast_ratio,
    relative_luminance,
    toned,
)

type Rgb = tuple[int, int, int]

# WCAG 2.2, 1.4.3, for text of any size.
MIN_TEXT_CONTRAST: Final = 4.5
# Before the flat ground; what shows through it takes some of that again.
_INK_CONTRAST: Final = 9.0
_ACCENT_CONTRAST: Final = 5.2
_SHAPE_CONTRAST: Final = 3.0
_LABEL_CONTRAST: Final = 4.8


@dataclass(frozen=True)
class Theme:
    """One ground and the elements on it. `pill` is a filled shape, `label` the text on it."""

    dark: bool
    ground: Rgb
    ink: Rgb
    muted: Rgb
    accent: Rgb
    pill: Rgb
    label: Rgb


def luminance(rgb: Rgb) -> float:
    """WCAG relative luminance of one color."""
    return float(relative_luminance(np.array(rgb, dtype=np.uint8)))


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG contrast ratio of two colors."""
    return contrast_ratio(luminance(one), luminance(other))


def grounds(palette: Sequence[str]) -> tuple[Floats, Floats]:
    """Return a dark and a light tone of the palette, OKLab."""
    if not palette:
        return np.array([0.2, 0.0, 0.0]), np.array([0.98, 0.0, 0.0])
    colors = Palette(palette).by_lightness
    darkest, lightest = colors[0], colors[-1]
    dark = toned(darkest, min(float(darkest[0]), 0.24), 1.0 if darkest[0] < 0.4 else 0.6)
    light = toned(lightest, max(float(lightest[0]), 0.965), 1.0 if lightest[0] > 0.94 else 0.25)
    return dark, light


@lru_cache(maxsize=64)
def theme(palette: tuple[str, ...], dark: bool) -> Theme:
    """Choose the colors for one ground, dark or light."""
    dark_tone, light_tone = grounds(palette)
    ground = as_rgb(dark_tone if dark else light_tone)
    colors = _colors(palette)
    far = colors[-1] if dark else colors[0]
    ink = as_rgb(far)
    if contrast(ink, ground) < _INK_CONTRAST or _chroma(far) > 0.1:
        # Colored text tires the eye; a breath of the color is enough.
        ink = as_rgb(toned(far, 0.975 if dark else 0.2, 0.2 if dark else 0.6))
    accent = _readable(_by_chroma(colors), ground, _ACCENT_CONTRAST, lighter=dark)
    shape = _readable(_by_chroma(colors), ground, _SHAPE_CONTRAST, lighter=dark)
    pill, label = _labeled(shape, dark_tone, light_tone, lighter=dark)
    return Theme(
        dark=dark,
        ground=ground,
        ink=ink,
        muted=_muted(ink, ground),
        accent=as_rgb(accent),
        pill=pill,
        label=label,
    )


def _colors(palette: tuple[str, ...]) -> list[Floats]:
    return Palette(palette or ("#1F2430", "#FFFFFF")).by_lightness


def _chroma(lab: Floats) -> float:
    return float(np.hypot(lab[1], lab[2]))


def _by_chroma(colors: Sequence[Floats]) -> list[Floats]:
    return sorted(colors, key=lambda lab: (-_chroma(lab), tuple(lab.tolist())))


def _readable(colors: Sequence[Floats], ground: Rgb, required: float, *, lighter: bool) -> Floats:
    """The liveliest color that stands out from the ground, or a tone of the liveliest."""
    for lab in colors:
        if _chroma(lab) >= 0.4 * _chroma(colors[0]) and contrast(as_rgb(lab), ground) >= required:
            return lab
    liveliest = colors[0]
    for step in range(1, 41):
        end = 0.98 if lighter else 0.15
        level = float(liveliest[0]) + (end - float(liveliest[0])) * step / 40
        tone = toned(liveliest, level)
        if contrast(as_rgb(tone), ground) >= required:
            return tone
    return toned(liveliest, 0.98 if lighter else 0.15, 0.2)


def _labeled(pill: Floats, dark: Floats, light: Floats, *, lighter: bool) -> tuple[Rgb, Rgb]:
    """Give a pill the label that reads on it; between the two the pill moves a little."""
    labels = [as_rgb(light), as_rgb(dark)]
    for step in range(30):
        # Away from the middle, where neither label reads, and never back towards the ground.
        level = min(max(float(pill[0]) + (0.01 if lighter else -0.01) * step, 0.0), 1.0)
        fill = as_rgb(toned(pill, level))
        best = max(labels, key=lambda label: contrast(label, fill))
        if contrast(best, fill) >= _LABEL_CONTRAST:
            return fill, best
    return as_rgb(pill), max(
        ((0, 0, 0), (255, 255, 255)), key=lambda label: contrast(label, as_rgb(pill))
    )


def _muted(ink: Rgb, ground: Rgb) -> Rgb:
    """The ink, as faint as it may be."""
    for share in (0.72, 0.8, 0.88):
        mixed = tuple(round(a * share + b * (1 - share)) for a, b in zip(ink, ground, strict=True))
        if contrast(mixed, ground) >= 7:  # type: ignore[arg-type]
            return mixed  # type: ignore[return-value]
    return ink
