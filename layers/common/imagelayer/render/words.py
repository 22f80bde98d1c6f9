"""Writing a design on a picture: the veil behind the words, the words, and how well they read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from imagelayer.render.color import Floats, contrast_ratio, relative_luminance
from imagelayer.render.layouts import Box, Layout, Placed, heading_of
from imagelayer.render.logos import LogoReport
from imagelayer.render.pango import Raster, capitals, draw
from imagelayer.render.tones import MIN_TEXT_CONTRAST, Rgb, Theme, luminance, theme

_GRID: Final = 48
# Every how many of these a veil is estimated from; it is checked against all of them.
_SPARSE: Final = 3
# What the veil aims at, so that rounding cannot bring the finished picture below the minimum.
_AIMED_CONTRAST: Final = 4.75
# Spread of perceived light behind the words from which the veil is frosted as well.
_BUSY: Final = 0.08
_LIGHTEST_VEIL: Final = 0.6
_LIGHTEST_FROST: Final = 0.82
# The veil's fade by the length it runs along. Where the picture is upright it is short enough to
# leave this share of the picture untouched, if the words do.
_FADE_SIDEWAYS: Final = 0.26
_FADE_UPRIGHT: Final = (0.1, 0.24)
_UNTOUCHED: Final = 0.45
# Less picture than this beside the words is veiled to its edge: a strip of it would be a stripe.
_WORTH_SHOWING: Final = 0.14
_WORDMARK_SIZE: Final = 0.037
_LEFT_TO_RIGHT: Final = "\u200e"
_RIGHT_TO_LEFT: Final = "\u200f"


@dataclass(frozen=True)
class TextReport:
    """How one block of words reads; lengths in pixels, the box is that of its ink.

    `contrast` is the WCAG 2.2 ratio between the words' color and what is behind them, taken at
    whichever of the 5th and 95th luminance percentiles in the box is worse.
    """

    role: str
    family: str
    weight: int
    size: int
    lines: int
    x: int
    y: int
    width: int
    height: int
    color: str
    contrast: float
    passed: bool


@dataclass(frozen=True)
class _Ink:
    """A block as it is drawn: its rasters, where each goes, their color and what they fill."""

    placed: Placed
    rasters: tuple[tuple[Raster, Box], ...]
    color: Rgb
    box: Box


def write(
    canvas: Image.Image, palette: tuple[str, ...], placed: Sequence[Placed], layout: Layout
) -> tuple[list[_Ink], Theme]:
    """Veil the picture behind the words; returns what `imprint` then draws.

    The logo is laid between the two: it is placed on the veil and chooses its variant by it.
    """
    chosen, strength, frosted = _weigh(canvas, palette, placed)
    inks = [_ink(block, chosen, layout) for block in placed if block.block.kind != "rule"]
    base = canvas.copy()
    while True:
        _veil(canvas, base, placed, layout, chosen, strength, frosted=frosted)
        if strength >= 1 or all(
            _contrast(canvas, ink, chosen) >= MIN_TEXT_CONTRAST for ink in inks
        ):
            return inks, chosen
        strength = min(1.0, strength + 0.08)


def imprint(
    canvas: Image.Image, inks: Sequence[_Ink], placed: Sequence[Placed], chosen: Theme
) -> list[TextReport]:
    """Draw the words and report how they read."""
    reports = [_report(ink, _contrast(canvas, ink, chosen)) for ink in inks]
    for block in placed:
        _draw_shape(canvas, block, chosen)
    for ink in inks:
        for raster, box in ink.rasters:
            colored = raster.image.mode == "RGBA"
            canvas.paste(raster.image if colored else ink.color, box, raster.image)
    return reports


def _report(ink: _Ink, contrast: float) -> TextReport:
    block = ink.placed.block
    return TextReport(
        role=block.role,
        family=block.face.family,
        weight=block.face.weight,
        size=ink.placed.size,
        lines=len(ink.placed.lines),
        x=ink.box.left,
        y=ink.box.top,
        width=ink.box.width,
        height=ink.box.height,
        color="#{:02X}{:02X}{:02X}".format(*ink.color),
        contrast=round(contrast, 2),
        passed=contrast >= MIN_TEXT_CONTRAST,
    )


def _ink(placed: Placed, chosen: Theme, layout: Layout) -> _Ink:
    color = _color(placed, chosen)
    drawn = _drawn(placed, color, layout)
    edges = [box for _, box in drawn]
    around = Box(
        min(box.left for box in edges),
        min(box.top for box in edges),
        max(box.right for box in edges),
        max(box.bottom for box in edges),
    )
    return _Ink(placed, drawn, color, around)


def _drawn(placed: Placed, color: Rgb, layout: Layout) -> tuple[tuple[Raster, Box], ...]:
    block, size, box = placed.block, placed.size, placed.box

    def raster_of(lines: tuple[str, ...]) -> Raster:
        return draw(
            lines, block.face, size, color=color, leading=block.leading, tracking=block.tracking
        )

    if block.kind == "text" and not block.by_capitals:
        # Fonts of different heights in one line move the next one; here every line has its own box.
        pitch, lines = block.leading * size, enumerate(placed.lines)
        mark = _RIGHT_TO_LEFT if layout.mirrored else _LEFT_TO_RIGHT
        rasters = [(raster_of((mark + line,)), box.top + number * pitch) for number, line in lines]
        return tuple(
            (raster, _at(raster, box, top + (pitch - raster.image.height) / 2, layout))
            for raster, top in rasters
        )
    raster = raster_of(placed.lines)
    top, baseline = (edge * size for edge in capitals(block.text, block.face, block.leading))
    if block.role == "mark":
        return ((raster, _at(raster, box, box.top, layout)),)
    if block.kind == "text":
        return ((raster, _at(raster, box, box.top + raster.y - top, layout)),)
    width, height = raster.image.size
    x = (box.left + box.right - width) // 2
    y = (box.top + box.bottom - height) / 2
    if block.by_capitals:
        y = (box.top + box.bottom - top - baseline) / 2 + raster.y
    return ((raster, Box(x, round(y), x + width, round(y) + height)),)


def _at(raster: Raster, box: Box, top: float, layout: Layout) -> Box:
    """The raster's ink flush with the side its lines begin at."""
    width, height = raster.image.size
    x, y = box.right - width if layout.mirrored else box.left, round(top)
    return Box(x, y, x + width, y + height)


def _color(placed: Placed, chosen: Theme) -> Rgb:
    if placed.block.kind == "pill":
        return chosen.label
    return {"ink": chosen.ink, "accent": chosen.accent, "muted": chosen.muted}[placed.block.tone]


def _contrast(canvas: Image.Image, ink: _Ink, chosen: Theme) -> float:
    """Contrast of a block before the picture as it is, or before the pill it will stand on."""
    own = luminance(ink.color)
    if ink.placed.block.kind == "pill":
        return contrast_ratio(own, luminance(chosen.pill))
    return _worse(own, _samples(canvas, ink.box))


def _worse(own: float, behind: Floats) -> float:
    ordered = np.sort(behind)
    low, high = (float(ordered[round(share * (len(ordered) - 1))]) for share in (0.05, 0.95))
    if low < own < high:
        return 1.0
    return min(contrast_ratio(own, low), contrast_ratio(own, high))


def _pixels(canvas: Image.Image, box: Box) -> Floats:
    """An even grid of the box's own pixels, shape (n, 3)."""
    inside = Box(
        max(0, box.left),
        max(0, box.top),
        min(canvas.width, box.right),
        min(canvas.height, box.bottom),
    )
    size = (min(_GRID * 2, inside.width), min(_GRID, inside.height))
    grid = canvas.resize(size, Image.Resampling.NEAREST, box=inside)
    return np.asarray(grid, dtype=np.float64).reshape(-1, 3)


def _samples(canvas: Image.Image, box: Box) -> Floats:
    return relative_luminance(_pixels(canvas, box).astype(np.uint8))


def _weigh(
    canvas: Image.Image, palette: tuple[str, ...], placed: Sequence[Placed]
) -> tuple[Theme, float, bool]:
    """Choose dark or light, how strong the veil must be, and whether it is frosted."""
    blocks = [block for block in placed if block.block.kind != "pill" and block.lines]
    boxes = [block.box.grown(round(block.size * 0.2)) for block in blocks]
    behind = [_pixels(canvas, box) for box in boxes]
    if not behind:
        behind = [_pixels(canvas, block.box.grown(block.size)) for block in placed]
        blocks = list(placed)
    everything = np.concatenate(behind)
    tone = np.cbrt(relative_luminance(everything.astype(np.uint8)))
    frosted = float(tone.std()) > _BUSY
    if frosted:
        # What the frost will leave of a box is close to its mean, and half its spread.
        behind = [pixels.mean(axis=0) + (pixels - pixels.mean(axis=0)) * 0.5 for pixels in behind]
    options = []
    for dark in (True, False):
        chosen = theme(palette, dark)
        strength = max(
            _strength(pixels[::_SPARSE], chosen, _color(block, chosen))
            for pixels, block in zip(behind, blocks, strict=True)
        )
        # The nearer tone disturbs the picture less, and dark carries color better.
        far = abs(float(tone.mean()) - (0.0 if dark else 1.0))
        options.append((strength + far * 0.5 + (0.0 if dark else 0.12), strength, chosen))
    _, strength, chosen = min(options, key=lambda option: option[0])
    return chosen, max(strength, _LIGHTEST_FROST if frosted else _LIGHTEST_VEIL), frosted


def _strength(pixels: Floats, chosen: Theme, color: Rgb) -> float:
    """The least opacity of the ground before which a color reads."""
    ground = np.array(chosen.ground, dtype=np.float64)
    own = luminance(color)
    low, high = 0.0, 1.0
    for _ in range(6):
        middle = (low + high) / 2
        veiled = np.rint(pixels + (ground - pixels) * middle).astype(np.uint8)
        if _worse(own, relative_luminance(veiled)) >= _AIMED_CONTRAST:
            high = middle
        else:
            low = middle
    return high


def _veil(
    canvas: Image.Image,
    base: Image.Image,
    placed: Sequence[Placed],
    layout: Layout,
    chosen: Theme,
    strength: float,
    *,
    frosted: bool,
) -> None:
    """Blend the ground over the words' part of the picture, fading out where there is more of it.

    `canvas` is `base` with perhaps another veil of the same extent.
    """
    start, end, before, after = _extent(canvas.size, placed, layout)
    box = (start, 0, end, canvas.height) if layout.sideways else (0, start, canvas.width, end)
    region = base.crop(box)
    behind = region
    if frosted:
        # At an eighth of the size the blur costs next to nothing and looks the same.
        small = region.reduce(8).filter(ImageFilter.GaussianBlur(max(3.0, min(canvas.size) / 130)))
        behind = small.resize(region.size, Image.Resampling.BILINEAR)
    canvas.paste(behind.point(_veiling(chosen.ground, strength)), box)
    for fade, at_end in ((before, False), (after, True)):
        if fade:
            strip, mask = _fading(region.size, fade, layout, at_end=at_end)
            canvas.paste(region.crop(strip), (box[0] + strip[0], box[1] + strip[1]), mask)


def _veiling(ground: Rgb, strength: float) -> list[int]:
    """The new value of each level of each channel."""
    return [
        round(level + (channel - level) * strength) for channel in ground for level in range(256)
    ]


def _extent(
    size: tuple[int, int], placed: Sequence[Placed], layout: Layout
) -> tuple[int, int, int, int]:
    """Where the veil begins and ends along its axis, and how much of either end is its fade."""
    axis = 0 if layout.sideways else 1
    length = size[axis]
    pad = max(round(min(size) * 0.05), round(max(block.size for block in placed) * 0.3))
    first = max(0, min(block.box[axis] for block in placed) - pad)
    last = min(length, max(block.box[axis + 2] for block in placed) + pad)
    fade = round(length * _FADE_SIDEWAYS)
    if not layout.sideways:
        least, most = (round(length * share) for share in _FADE_UPRIGHT)
        fade = min(max(first - round(length * _UNTOUCHED), least), most)
    shown = length * _WORTH_SHOWING
    before = min(fade, first) if first >= shown else 0
    after = min(fade, length - last) if length - last >= shown else 0
    start = first - before if before else 0
    end = last + after if after else length
    return start, end, before, after


def _fading(
    size: tuple[int, int], fade: int, layout: Layout, *, at_end: bool
) -> tuple[tuple[int, int, int, int], Image.Image]:
    """The strip of a veil that fades, and how much of the bare picture shows in it."""
    eased = _eased(fade)
    bare = eased if at_end else eased[::-1]
    width, height = size
    if layout.sideways:
        left = width - fade if at_end else 0
        row = Image.frombytes("L", (fade, 1), bare)
        mask = row.resize((fade, height), Image.Resampling.NEAREST)
        return (left, 0, left + fade, height), mask
    top = height - fade if at_end else 0
    column = Image.frombytes("L", (1, fade), bare)
    mask = column.resize((width, fade), Image.Resampling.NEAREST)
    return (0, top, width, top + fade), mask


def _eased(fade: int) -> bytes:
    """From nothing to all over `fade` steps, with no visible edge at either end."""
    steps = (np.arange(fade) + 1) / (fade + 1)
    eased = steps**3 * (steps * (steps * 6 - 15) + 10)
    return np.rint(eased * 255).astype(np.uint8).tobytes()


def _draw_shape(canvas: Image.Image, placed: Placed, chosen: Theme) -> None:
    box, kind = placed.box, placed.block.kind
    if kind == "pill":
        canvas.paste(chosen.pill, box, _rounded(box.width, box.height, 0))
    elif kind == "chip":
        thickness = max(2, round(placed.size * 0.1))
        canvas.paste(chosen.accent, box, _rounded(box.width, box.height, thickness))
    elif kind == "rule":
        canvas.paste(chosen.accent, box)


@lru_cache(maxsize=64)
def _rounded(width: int, height: int, thickness: int) -> Image.Image:
    """Mask of a pill, filled, or its outline of a thickness. Pillow draws it with hard edges, so
    it is drawn larger."""
    scale = 4
    mask = Image.new("L", (width * scale, height * scale), 0)
    pen = ImageDraw.Draw(mask)
    edges = (0, 0, mask.width - 1, mask.height - 1)
    radius = height * scale / 2
    if thickness:
        pen.rounded_rectangle(edges, radius=radius, outline=255, width=thickness * scale)
    else:
        pen.rounded_rectangle(edges, radius=radius, fill=255)
    return mask.reduce(scale)


def wordmark(
    name: str,
    palette: tuple[str, ...],
    typography: Mapping[str, Any] | None,
    canvas: tuple[int, int],
) -> dict[str, Image.Image]:
    """A brand's name as a logo, in the palette's dark and in its light ink."""
    face = heading_of(typography)
    size = max(14, round(math.sqrt(canvas[0] * canvas[1]) * _WORDMARK_SIZE))
    variants = {}
    for variant, dark in (("logo", False), ("logo_dark", True)):
        ink = theme(palette, dark).ink
        raster = draw((name,), face, size, color=ink)
        if raster.image.mode == "RGBA":
            variants[variant] = raster.image
            continue
        variants[variant] = Image.new("RGBA", raster.image.size, (*ink, 0))
        variants[variant].paste(ink, (0, 0), raster.image)
        variants[variant].putalpha(raster.image)
    return variants


def wordmark_report(
    laid: LogoReport, palette: tuple[str, ...], typography: Mapping[str, Any] | None
) -> TextReport:
    """What `logos.lay` found for a wordmark."""
    face = heading_of(typography)
    ink = theme(palette, laid.variant == "logo_dark").ink
    return TextReport(
        role="brandmark",
        family=face.family,
        weight=face.weight,
        size=laid.height,
        lines=1,
        x=laid.x,
        y=laid.y,
        width=laid.width,
        height=laid.height,
        color="#{:02X}{:02X}{:02X}".format(*ink),
        contrast=laid.contrast,
        passed=laid.contrast >= MIN_TEXT_CONTRAST,
    )
