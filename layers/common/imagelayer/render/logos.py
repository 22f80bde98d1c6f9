"""Laying a logo on a picture: where, which variant, and a plate behind it where nothing else helps.

The logo is never recolored, stretched or enlarged. Where the picture would swallow it, the
picture gives way: a plate of frosted glass in the palette's own tone goes behind.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from imagelayer.render.color import Floats, as_rgb, contrast_ratio, relative_luminance
from imagelayer.render.layouts import Box
from imagelayer.render.tones import grounds

type Corner = Literal["auto", "top-left", "top-right", "bottom-left", "bottom-right", "none"]
# Top, right, bottom and left, in pixels.
type Sides = tuple[int, int, int, int]

MIN_CONTRAST: Final = 3.0
MIN_LEGIBLE_SHARE: Final = 0.5
# A plate that has to be laid anyway may as well do its job well.
_PLATE_CONTRAST: Final = 4.5

VARIANTS: Final = ("logo", "logo_dark", "logo_mono")
CORNERS: Final[tuple[Corner, ...]] = ("top-left", "top-right", "bottom-left", "bottom-right")

# Where the picture's detail competes with the logo's. Measured on the studio's styles: skies, waves
# and gradients stay below 0.08, cubes, tiles and spheres above 0.09. A strong logo bears more.
_TOO_BUSY: Final = 0.1
_STRONG: Final = 6.0
# Columns and rows that a box is looked at in.
_GRID: Final = (96, 32)

_MARGIN: Final = 0.04
_MAX_WIDTH: Final = 0.28
# Of the height, and never more than half of the width: on a skyscraper 28 % is nothing.
_MAX_WIDTH_OF_TALL: Final = 0.15
_MAX_HEIGHT: Final = 0.14
_CLEAR_SPACE: Final = 0.25
# A name has no room of its own around its letters, as a logo's file mostly has.
_NAME_PLATE_PAD: Final = 0.7


@dataclass(frozen=True)
class LogoReport:
    """Where the logo is and how legible; lengths in pixels, `scale` 1.0 is original size.

    `contrast` is the WCAG 2.2 ratio between the logo's mean visible luminance and the picture
    behind it, taken at whichever of the picture's 10th and 90th luminance percentiles is worse.
    `legible_share` is the part of the logo's visible area that reaches 3:1 by itself. `plate`
    says whether a plate was laid behind it.
    """

    variant: str
    corner: str
    x: int
    y: int
    width: int
    height: int
    scale: float
    contrast: float
    legible_share: float
    plate: bool
    clear_space_px: int
    clear_space_required_px: int
    passed: bool


@dataclass(frozen=True)
class _Candidate:
    variant: str
    image: Image.Image
    mean: float
    luminances: Floats
    weights: Floats

    def against(self, low: float, high: float) -> tuple[float, float]:
        """Contrast and legible share before a picture of these luminances."""
        contrast = min(contrast_ratio(self.mean, low), contrast_ratio(self.mean, high))
        if min(low, high) < self.mean < max(low, high):
            contrast = 1.0
        middle = (low + high) / 2
        lighter = np.maximum(self.luminances, middle) + 0.05
        darker = np.minimum(self.luminances, middle) + 0.05
        legible = (lighter / darker >= MIN_CONTRAST) * self.weights
        return contrast, float(legible.sum() / self.weights.sum())


@dataclass(frozen=True)
class Prepared:
    """The variants of a logo at the size they are laid in."""

    candidates: tuple[_Candidate, ...]
    scales: Mapping[str, float]
    size: tuple[int, int]
    required_contrast: float
    margins: Sides
    named: bool

    @property
    def clear_space(self) -> int:
        """Pixels around the logo where nothing else may stand."""
        return _required_space(self.size[1])

    @property
    def plate_pad(self) -> int:
        """Pixels that a plate reaches beyond the logo."""
        if self.named:
            return math.ceil(self.size[1] * _NAME_PLATE_PAD)
        return max(3, self.clear_space)


def _candidate(
    variant: str, logo: Image.Image, canvas: tuple[int, int]
) -> tuple[_Candidate, float]:
    image = logo.convert("RGBA")
    tall = min(canvas[0] / 2, canvas[1] * _MAX_WIDTH_OF_TALL)
    scale = min(
        1.0,
        max(canvas[0] * _MAX_WIDTH, tall) / image.width,
        min(canvas) * _MAX_HEIGHT / image.height,
    )
    if scale < 1:
        size = (max(1, math.floor(image.width * scale)), max(1, math.floor(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    weights = pixels[..., 3].astype(np.float64).ravel()
    if not weights.any():
        raise ValueError("the logo has no visible pixel")
    luminances = relative_luminance(pixels[..., :3]).ravel()
    visible = weights > 0
    luminances, weights = luminances[visible], weights[visible]
    mean = float((luminances * weights).sum() / weights.sum())
    return _Candidate(variant, image, mean, luminances, weights), scale


def _spot(canvas: tuple[int, int], logo: Prepared, size: tuple[int, int], corner: Corner) -> Box:
    width, height = canvas
    margin = max(round(min(canvas) * _MARGIN), _required_space(size[1]))
    top, right, bottom, left = (max(margin, side) for side in logo.margins)
    x = left if corner.endswith("left") else width - right - size[0]
    y = top if corner.startswith("top") else height - bottom - size[1]
    return Box(x, y, x + size[0], y + size[1])


def _required_space(height: int) -> int:
    return math.ceil(height * _CLEAR_SPACE)


def _behind(canvas: Image.Image, box: Box) -> tuple[float, float, float]:
    """Luminance at the 10th and 90th percentile in a box, and how busy it is there."""
    width, height = canvas.size
    inside = (max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3]))
    size = (
        min(_GRID[0], max(1, inside[2] - inside[0])),
        min(_GRID[1], max(1, inside[3] - inside[1])),
    )
    grid = canvas.resize(size, Image.Resampling.NEAREST, box=inside)
    luminance = relative_luminance(np.asarray(grid))
    ordered = np.sort(luminance, axis=None)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.1, 0.9))
    # Perceived, not physical, light: detail in the shadows disturbs as much as in the highlights.
    tone = np.cbrt(luminance)
    busy = float(tone.std())
    if tone.shape[0] > 1 and tone.shape[1] > 1:
        busy += float(np.abs(np.diff(tone, axis=0)).mean() + np.abs(np.diff(tone, axis=1)).mean())
    return float(low), float(high), busy


def _choose(
    candidates: Sequence[_Candidate], low: float, high: float
) -> tuple[_Candidate, float, float]:
    """Return the variant that reads best before these luminances, its contrast and share."""
    measured = [(candidate, *candidate.against(low, high)) for candidate in candidates]
    for candidate, contrast, share in measured:
        if candidate.variant == "logo" and contrast >= 4.5 and share >= 0.8:
            return candidate, contrast, share
    return max(measured, key=lambda item: (_reads(item[1], item[2]), item[1] * item[2]))


def _reads(contrast: float, share: float, required: float = MIN_CONTRAST) -> bool:
    return contrast >= required and share >= MIN_LEGIBLE_SHARE


def _is_crowded(busy: float, contrast: float) -> bool:
    """Whether a logo of this contrast is lost in the detail behind it, though it reads."""
    return busy > _TOO_BUSY * min(max(contrast / _STRONG, 0.5), 1.25)


def prepare(
    logos: Mapping[str, Image.Image],
    canvas: tuple[int, int],
    *,
    margins: Sides = (0, 0, 0, 0),
    required_contrast: float = MIN_CONTRAST,
    named: bool = False,
) -> Prepared:
    """Scale a logo's variants down to a canvas, to be laid no nearer to its edges than `margins`.

    `named` says that it is a name, cropped to its letters. ValueError for one with no visible
    pixel.
    """
    scales: dict[str, float] = {}
    candidates: list[_Candidate] = []
    for variant in VARIANTS:
        if variant in logos:
            candidate, scales[variant] = _candidate(variant, logos[variant], canvas)
            candidates.append(candidate)
    size = (
        max(candidate.image.width for candidate in candidates),
        max(candidate.image.height for candidate in candidates),
    )
    return Prepared(tuple(candidates), scales, size, required_contrast, margins, named)


def choose_corner(
    canvas: Image.Image, logo: Prepared, corners: Sequence[Corner] = CORNERS
) -> Corner:
    """The calmest corner where a variant reads; the first of those equally calm."""
    tried = []
    for place in corners:
        box = box_at(canvas.size, logo, place).grown(logo.clear_space)
        low, high, busy = _behind(canvas, box)
        _, contrast, share = _choose(logo.candidates, low, high)
        # A corner that needs a plate counts as much busier than one that does not. Rounded, so
        # that corners equally calm fall back to the order they are listed in.
        needs_plate = not _reads(contrast, share, logo.required_contrast)
        needs_plate = needs_plate or _is_crowded(busy, contrast)
        tried.append((round(busy + (0.25 if needs_plate else 0), 2), place))
    return min(tried, key=lambda item: item[0])[1]


def box_at(canvas: tuple[int, int], logo: Prepared, corner: Corner) -> Box:
    """The box of the largest variant in a corner."""
    return _spot(canvas, logo, logo.size, corner)


def lay(canvas: Image.Image, palette: Sequence[str], logo: Prepared, corner: Corner) -> LogoReport:
    """Lay the variant that reads best in a corner, on a plate if none reads."""
    box = box_at(canvas.size, logo, corner)
    chosen, contrast, share = _choose(logo.candidates, *_luminances(canvas, box))
    busy = _behind(canvas, box.grown(logo.clear_space))[2]
    plate = not _reads(contrast, share, logo.required_contrast) or _is_crowded(busy, contrast)
    if plate:
        chosen, contrast, share = _lay_plate(canvas, palette, logo, box)
    spot = _spot(canvas.size, logo, chosen.image.size, corner)
    canvas.paste(chosen.image, spot[:2], chosen.image)
    space = min(spot.left, spot.top, canvas.width - spot.right, canvas.height - spot.bottom)
    required = _required_space(spot.height)
    return LogoReport(
        variant=chosen.variant,
        corner=corner,
        x=spot.left,
        y=spot.top,
        width=spot.width,
        height=spot.height,
        scale=round(logo.scales[chosen.variant], 4),
        contrast=round(contrast, 2),
        legible_share=round(share, 3),
        plate=plate,
        clear_space_px=space,
        clear_space_required_px=required,
        passed=contrast >= logo.required_contrast and space >= required,
    )


def _luminances(canvas: Image.Image, box: Box) -> tuple[float, float]:
    low, high, _ = _behind(canvas, box)
    return low, high


def _lay_plate(
    canvas: Image.Image, palette: Sequence[str], logo: Prepared, box: Box
) -> tuple[_Candidate, float, float]:
    """Lay the lightest-handed plate that lets a variant read; returns it as measured after."""
    edges = (box.left, box.top, canvas.width - box.right, canvas.height - box.bottom)
    around = box.grown(min(logo.plate_pad, *edges))
    untouched = canvas.crop(around)
    inner = Box(*(box[side] - around[side % 2] for side in range(4)))
    low, high = _luminances(canvas, box)
    dark, light = grounds(palette)
    # The tone nearer to the picture first: it disturbs least.
    tones = (dark, light) if (low + high) / 2 < 0.3 else (light, dark)
    glass = untouched.filter(ImageFilter.GaussianBlur(max(3.0, inner.height * 0.35)))
    shape = _plate_shape(untouched.size)
    best = (-1.0, untouched, logo.candidates[0], 1.0, 0.0)
    for strength, tone in itertools.product((0.6, 0.74, 0.86, 0.94, 1.0), tones):
        tinted = Image.blend(glass, Image.new("RGB", glass.size, as_rgb(tone)), strength)
        attempt = Image.composite(tinted, untouched, shape)
        chosen, contrast, share = _choose(logo.candidates, *_luminances(attempt, inner))
        worth = min(contrast, _PLATE_CONTRAST) * share
        # A little better is not worth a heavier plate.
        if worth > best[0] * 1.02:
            best = (worth, attempt, chosen, contrast, share)
        if _reads(contrast, share, max(logo.required_contrast, _PLATE_CONTRAST)):
            break
    canvas.paste(best[1], around[:2])
    return best[2:]


def _plate_shape(size: tuple[int, int]) -> Image.Image:
    """Mask of a rounded plate."""
    scale = 4
    mask = Image.new("L", (size[0] * scale, size[1] * scale), 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, mask.width - 1, mask.height - 1), radius=size[1] * 0.3 * scale, fill=255
    )
    return mask.reduce(scale)
