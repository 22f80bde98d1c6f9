"""The brand compositor: lays the exact logo on a picture and measures how well the brand came out.

The logo is never recoloured, stretched or enlarged. Where the picture would swallow it, the
picture gives way: a plate of frosted glass in the palette's own tone goes behind.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from imagelayer.render.colour import (
    Floats,
    Palette,
    as_rgb,
    contrast_ratio,
    relative_luminance,
    rgb_to_lab,
    toned,
)

type Corner = Literal["auto", "top-left", "top-right", "bottom-left", "bottom-right", "none"]
type Box = tuple[int, int, int, int]

MIN_CONTRAST: Final = 3.0
# Mean OKLab distance x100. About 2 is just noticeable; the studio stays under 4.
MAX_PALETTE_DISTANCE: Final = 8.0
MIN_LEGIBLE_SHARE: Final = 0.5
# A plate that has to be laid anyway may as well do its job well.
_PLATE_CONTRAST: Final = 4.5

VARIANTS: Final = ("logo", "logo_dark", "logo_mono")
CORNERS: Final[tuple[Corner, ...]] = ("top-left", "top-right", "bottom-left", "bottom-right")

_MARGIN: Final = 0.04
_MAX_WIDTH: Final = 0.28
_MAX_HEIGHT: Final = 0.14
_CLEAR_SPACE: Final = 0.25
_SAMPLES: Final = 112


@dataclass(frozen=True)
class LogoReport:
    """Where the logo stands and how it reads; lengths in pixels, `scale` 1.0 is original size.

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
class BrandReport:
    """What was measured on the finished picture.

    `palette_distance`, see `palette_distance()`; None without a palette. `logo` is None when none
    was laid. `passed` needs every part that was measured to pass.
    """

    palette_distance: float | None
    logo: LogoReport | None
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Composition:
    """A branded RGB picture and its report."""

    image: Image.Image
    report: BrandReport


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


def palette_distance(picture: Image.Image, palette: Sequence[str]) -> float | None:
    """Measure how far a picture strays from a palette; 0 is on it, None without a palette.

    The mean over an even grid of up to 112 x 112 pixels of the OKLab distance, times 100, to the
    nearest point of the palette's figure: every colour's straight line to black and to white (its
    shades and tints), and the straight lines joining colours that are neighbours in lightness
    (their blends). A just noticeable difference is about 2.
    """
    if not palette:
        return None
    rgb = picture.convert("RGB")
    columns, rows = min(_SAMPLES, rgb.width), min(_SAMPLES, rgb.height)
    sampled = np.asarray(rgb.resize((columns, rows), Image.Resampling.NEAREST))
    pixels = rgb_to_lab(sampled.reshape(-1, 3))
    colours = Palette(palette).by_lightness
    black, white = np.zeros(3), np.array([1.0, 0.0, 0.0])
    segments = [(colour, end) for colour in colours for end in (black, white)]
    segments += list(zip(colours, colours[1:], strict=False))
    nearest = np.full(len(pixels), np.inf)
    for start, end in segments:
        way = end - start
        length = float((way * way).sum())
        offset = pixels - start
        along = np.clip((offset * way).sum(axis=1) / max(length, 1e-12), 0, 1)
        gap = offset - along[:, None] * way
        nearest = np.minimum(nearest, (gap * gap).sum(axis=1))
    return round(float(np.sqrt(nearest).mean()) * 100, 2)


def compose(
    picture: Image.Image,
    *,
    palette: Sequence[str],
    logos: Mapping[str, Image.Image],
    corner: Corner = "auto",
    watermark: bool = False,
) -> Composition:
    """Lay the brand's logo on a picture and measure the result.

    `logos` maps "logo", "logo_dark" (for dark backgrounds) and "logo_mono" to pictures with
    transparency; the variant that reads best before the picture is used, the plain logo first
    among equals. `corner` "auto" picks the calmest corner where a variant reads; "none" lays no
    logo. A logo is scaled down when larger than 28 % of the width or 14 % of the short side, never
    up; at original size its opaque pixels are exact in the result. `watermark` writes TEST across
    everything but the logo and its clear space.

    The picture given is left as it is. ValueError for an unknown logo kind, an unknown corner, a
    malformed colour or a logo with no visible pixel.
    """
    unknown = set(logos) - set(VARIANTS)
    if unknown:
        raise ValueError("logos are named logo, logo_dark or logo_mono")
    if corner not in (*CORNERS, "auto", "none"):
        raise ValueError("unknown corner")
    canvas = Image.new("RGB", picture.size)
    canvas.paste(picture.convert("RGB"))
    distance = palette_distance(canvas, palette)
    logo: LogoReport | None = None
    if logos and corner != "none":
        logo = _lay_logo(canvas, palette, logos, corner)
    if watermark:
        _watermark(canvas, logo)
    passed = (distance is None or distance <= MAX_PALETTE_DISTANCE) and (
        logo is None or logo.passed
    )
    return Composition(canvas, BrandReport(distance, logo, passed))


def _candidate(variant: str, logo: Image.Image, canvas: Image.Image) -> tuple[_Candidate, float]:
    image = logo.convert("RGBA")
    scale = min(
        1.0,
        canvas.width * _MAX_WIDTH / image.width,
        min(canvas.size) * _MAX_HEIGHT / image.height,
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


def _spot(canvas: Image.Image, size: tuple[int, int], corner: Corner) -> tuple[int, int]:
    margin = max(round(min(canvas.size) * _MARGIN), _required_space(size[1]))
    x = margin if corner.endswith("left") else canvas.width - margin - size[0]
    y = margin if corner.startswith("top") else canvas.height - margin - size[1]
    return x, y


def _required_space(height: int) -> int:
    return math.ceil(height * _CLEAR_SPACE)


def _behind(canvas: Image.Image, box: Box) -> tuple[float, float, float]:
    """Luminance at the 10th and 90th percentile in a box, and how busy it is there."""
    region = np.asarray(canvas.crop(box))
    luminance = relative_luminance(region)
    low, high = np.percentile(luminance, (10, 90))
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


def _reads(contrast: float, share: float) -> bool:
    return contrast >= MIN_CONTRAST and share >= MIN_LEGIBLE_SHARE


def _lay_logo(
    canvas: Image.Image,
    palette: Sequence[str],
    logos: Mapping[str, Image.Image],
    corner: Corner,
) -> LogoReport:
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
    pad = _required_space(size[1])
    tried = []
    for place in CORNERS if corner == "auto" else (corner,):
        x, y = _spot(canvas, size, place)
        low, high, busy = _behind(canvas, (x - pad, y - pad, x + size[0] + pad, y + size[1] + pad))
        _, contrast, share = _choose(candidates, low, high)
        # A corner that needs a plate counts as much busier than one that does not. Rounded, so
        # that corners equally calm fall back to the order they are listed in.
        tried.append((round(busy + (0 if _reads(contrast, share) else 0.25), 2), place))
    place = min(tried, key=lambda item: item[0])[1]

    low, high = _luminances_at(canvas, size, place)
    chosen, contrast, share = _choose(candidates, low, high)
    plate = not _reads(contrast, share)
    if plate:
        chosen, contrast, share = _lay_plate(canvas, palette, candidates, size, place)
    x, y = _spot(canvas, chosen.image.size, place)
    canvas.paste(chosen.image, (x, y), chosen.image)
    width, height = chosen.image.size
    space = min(x, y, canvas.width - x - width, canvas.height - y - height)
    required = _required_space(height)
    return LogoReport(
        variant=chosen.variant,
        corner=place,
        x=x,
        y=y,
        width=width,
        height=height,
        scale=round(scales[chosen.variant], 4),
        contrast=round(contrast, 2),
        legible_share=round(share, 3),
        plate=plate,
        clear_space_px=space,
        clear_space_required_px=required,
        passed=contrast >= MIN_CONTRAST and space >= required,
    )


def _luminances_at(
    canvas: Image.Image, size: tuple[int, int], place: Corner
) -> tuple[float, float]:
    x, y = _spot(canvas, size, place)
    low, high, _ = _behind(canvas, (x, y, x + size[0], y + size[1]))
    return low, high


def _plate_tones(palette: Sequence[str]) -> tuple[Floats, Floats]:
    """Return a dark and a light tone of the palette, OKLab."""
    if not palette:
        return np.array([0.2, 0.0, 0.0]), np.array([0.98, 0.0, 0.0])
    colours = Palette(palette).by_lightness
    darkest, lightest = colours[0], colours[-1]
    dark = toned(darkest, min(float(darkest[0]), 0.24), 0.8)
    light = toned(lightest, max(float(lightest[0]), 0.965), 1.0 if lightest[0] > 0.94 else 0.25)
    return dark, light


def _lay_plate(
    canvas: Image.Image,
    palette: Sequence[str],
    candidates: Sequence[_Candidate],
    size: tuple[int, int],
    place: Corner,
) -> tuple[_Candidate, float, float]:
    """Lay the lightest-handed plate that lets a variant read; returns it as measured after."""
    untouched = canvas.copy()
    x, y = _spot(canvas, size, place)
    box = (x, y, x + size[0], y + size[1])
    low, high, _ = _behind(canvas, box)
    dark, light = _plate_tones(palette)
    # The tone nearer to the picture first: it disturbs least.
    tones = (dark, light) if (low + high) / 2 < 0.3 else (light, dark)
    best = (-1.0, untouched, candidates[0], 1.0, 0.0)
    for strength, tone in itertools.product((0.6, 0.74, 0.86, 0.94, 1.0), tones):
        attempt = untouched.copy()
        _frost(attempt, box, as_rgb(tone), strength)
        chosen, contrast, share = _choose(candidates, *_luminances_at(attempt, size, place))
        worth = min(contrast, _PLATE_CONTRAST) * share
        # A little better is not worth a heavier plate.
        if worth > best[0] * 1.02:
            best = (worth, attempt, chosen, contrast, share)
        if _reads(contrast, share) and contrast >= _PLATE_CONTRAST:
            break
    canvas.paste(best[1])
    return best[2:]


def _frost(canvas: Image.Image, box: Box, tone: tuple[int, int, int], strength: float) -> None:
    """Blur and tint a rounded plate around `box`."""
    height = box[3] - box[1]
    pad = max(3, _required_space(height))
    outer = (box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad)
    region = canvas.crop(outer)
    glass = region.filter(ImageFilter.GaussianBlur(max(3.0, height * 0.35)))
    glass = Image.blend(glass, Image.new("RGB", glass.size, tone), strength)
    scale = 4
    mask = Image.new("L", (region.width * scale, region.height * scale), 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, mask.width - 1, mask.height - 1), radius=region.height * 0.3 * scale, fill=255
    )
    canvas.paste(glass, outer[:2], mask.reduce(scale))


@lru_cache(maxsize=8)
def _test_sheet(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Masks of the repeated word, its body and the halo that carries it over pale ground."""
    short = min(size)
    font = ImageFont.load_default(max(14, short // 11))
    left, top, right, bottom = (round(edge) for edge in font.getbbox("TEST"))
    step_x, step_y = round((right - left) * 1.75), round((bottom - top) * 3.2)
    reach = math.ceil(math.hypot(*size)) + max(step_x, step_y)
    sheet = Image.new("L", (reach, reach), 0)
    draw = ImageDraw.Draw(sheet)
    for row in range(-1, reach // step_y + 1):
        shift = step_x // 2 if row % 2 else 0
        for column in range(-1, reach // step_x + 1):
            draw.text((column * step_x + shift, row * step_y), "TEST", font=font, fill=255)
    sheet = sheet.rotate(30, Image.Resampling.BICUBIC)
    x, y = (reach - size[0]) // 2, (reach - size[1]) // 2
    body = sheet.crop((x, y, x + size[0], y + size[1]))
    halo = ImageChops.subtract(body.filter(ImageFilter.GaussianBlur(max(1.0, short / 300))), body)
    return body, halo


def _watermark(canvas: Image.Image, logo: LogoReport | None) -> None:
    body, halo = _test_sheet(canvas.size)
    pale = float(np.asarray(canvas.convert("L").reduce(8)).mean()) > 140
    word, edge = ("black", "white") if pale else ("white", "black")
    for mask, colour, strength in ((halo, edge, 0.75), (body, word, 0.3 if pale else 0.42)):
        faint = mask.point([round(level * strength) for level in range(256)])
        if logo is not None:
            space = logo.clear_space_required_px
            box = (
                max(0, logo.x - space),
                max(0, logo.y - space),
                logo.x + logo.width + space,
                logo.y + logo.height + space,
            )
            faint.paste(0, box)
        canvas.paste(colour, (0, 0), faint)
