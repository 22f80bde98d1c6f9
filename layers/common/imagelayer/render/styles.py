"""The studio's painters: one function per art style, each from numbers to an RGB picture.

A painter takes `Scene` (size, palette, random source) and returns an RGB picture of that size.
Same scene, same bytes, on any machine: transcendental functions run in float64 on small grids or
tables, where a last-digit difference between processors cannot survive rounding, and full-size
arrays see only arithmetic that IEEE 754 fixes to the bit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from imagelayer.render.color import Bytes, Floats, Palette, as_rgb, lab_to_rgb, toned

type Singles = npt.NDArray[np.float32]
type Triple = tuple[int, int, int]

_GRAIN_TILE = 512


@dataclass(frozen=True)
class Scene:
    """What a painter is given: the size in pixels, the palette and its own random source."""

    width: int
    height: int
    palette: Palette
    random: np.random.Generator

    @property
    def short(self) -> int:
        """The shorter side, the unit that keeps proportions the same at every size."""
        return min(self.width, self.height)

    def between(self, low: float, high: float) -> float:
        """Draw a number from [low, high)."""
        return low + (high - low) * float(self.random.random())

    def one_of[T](self, options: Sequence[T]) -> T:
        """Draw one of the options."""
        return options[int(float(self.random.random()) * len(options))]

    def grid(self, resolution: int) -> tuple[Floats, Floats]:
        """Coordinates of a coarse grid, `resolution` cells on the short side.

        Two arrays (rows, columns), in short sides from the center.
        """
        columns = max(8, round(resolution * self.width / self.short))
        rows = max(8, round(resolution * self.height / self.short))
        x = ((np.arange(columns) + 0.5) / columns - 0.5) * (self.width / self.short)
        y = ((np.arange(rows) + 0.5) / rows - 0.5) * (self.height / self.short)
        return np.broadcast_to(x, (rows, columns)), np.broadcast_to(y[:, None], (rows, columns))


class Swell:
    """Smooth noise, about -1 to 1, that can be read at any point: a sum of plane waves.

    Unlike noise on a lattice it has no grid to show through, and no edge.
    """

    def __init__(self, scene: Scene, frequency: float, waves: int = 6) -> None:
        self._waves = []
        turn = scene.between(0, math.tau)
        for number in range(waves):
            angle = turn + math.pi * number / waves + scene.between(-0.2, 0.2)
            pitch = math.tau * frequency * (0.6 + 0.9 * scene.between(0, 1))
            self._waves.append(
                (math.cos(angle) * pitch, math.sin(angle) * pitch, scene.between(0, math.tau))
            )

    def __call__(self, x: Floats, y: Floats) -> Floats:
        total = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)))
        for along_x, along_y, phase in self._waves:
            total += np.sin(x * along_x + y * along_y + phase)
        return total * (1.4 / len(self._waves))


@lru_cache(maxsize=1)
def _grain_tile() -> Image.Image:
    """Film grain: soft triangular noise around mid gray, the same tile for every picture."""
    random = np.random.Generator(np.random.PCG64(0x1A7E12))
    draws = random.random((3, _GRAIN_TILE, _GRAIN_TILE))
    noise = (draws[0] + draws[1] + draws[2]) / 3 - 0.5
    gray = np.rint(128 + noise * 17).astype(np.uint8)
    return Image.merge("RGB", [Image.fromarray(gray)] * 3)


def grained(image: Image.Image) -> Image.Image:
    """Lay fine grain over a picture; it also dithers away the steps of 8-bit gradients."""
    tile = _grain_tile()
    sheet = Image.new("RGB", image.size)
    for top in range(0, image.height, _GRAIN_TILE):
        for left in range(0, image.width, _GRAIN_TILE):
            sheet.paste(tile, (left, top))
    return ImageChops.add(image, sheet, 1, -128)


def _mask(alpha: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(alpha)


def _vertical(scene: Scene, top: Floats, bottom: Floats, curve: float = 1.0) -> Image.Image:
    """Full-size picture blending from `top` to `bottom`."""
    along = (np.linspace(0, 1, scene.height) ** curve)[:, None]
    column = lab_to_rgb(top * (1 - along) + bottom * along)
    return Image.fromarray(column[:, None, :]).resize(
        (scene.width, scene.height), Image.Resampling.NEAREST
    )


def _upscaled(
    scene: Scene, field: Floats, margin: int, method: Image.Resampling = Image.Resampling.BICUBIC
) -> Singles:
    """Enlarge a coarse field to the picture's size, leaving `margin` coarse cells outside it."""
    coarse = Image.fromarray(field.astype(np.float32))
    box = (margin, margin, coarse.width - margin, coarse.height - margin)
    fine = coarse.resize((scene.width, scene.height), method, box=box)
    return cast(Singles, np.asarray(fine))


def _spread(field: Floats, evenness: float) -> Floats:
    """Map a field to 0..1; `evenness` 1 gives every value the same area."""
    flat = field.ravel()
    order = np.argsort(flat, kind="stable")
    ranks = np.empty(flat.size)
    ranks[order] = np.arange(flat.size) / max(flat.size - 1, 1)
    low, high = flat[order[flat.size // 100]], flat[order[-1 - flat.size // 100]]
    linear = np.clip((flat - low) / max(float(high - low), 1e-9), 0, 1)
    mixed: Floats = (ranks * evenness + linear * (1 - evenness)).reshape(field.shape)
    return mixed


def mesh_gradient(scene: Scene) -> Image.Image:
    """Blurred fields of color folding into each other like silk."""
    x, y = scene.grid(112)
    warp_x, warp_y = Swell(scene, 0.55), Swell(scene, 0.55)
    folds, light = Swell(scene, 0.8), Swell(scene, 0.6)
    angle = scene.between(0, math.tau)
    bent_x = x + 0.34 * warp_x(x, y)
    bent_y = y + 0.34 * warp_y(x, y)
    field = (
        math.cos(angle) * bent_x
        + math.sin(angle) * bent_y
        + 0.42 * folds(bent_x * 1.1, bent_y * 0.8)
    )
    place = _spread(field, 0.55)
    palette = scene.palette.narrowed(scene.random)
    if palette.dark:
        # A dark brand keeps most of the picture in its deep tones and lets the light be rare.
        place = place**1.35
    index = np.rint(place * (len(palette.ramp_lab) - 1)).astype(np.int64)
    lab = palette.ramp_lab[index].copy()
    lab[..., 0] += 0.035 * light(bent_x * 1.6, bent_y * 1.6)
    coarse = Image.fromarray(lab_to_rgb(lab))
    return grained(coarse.resize((scene.width, scene.height), Image.Resampling.BICUBIC))


def _lay_edge(
    canvas: Image.Image,
    edge: Floats,
    fill: Image.Image,
    shadow: Triple,
    *,
    reach: float,
    strength: float,
    rim: Triple | None,
    rim_strength: float = 0.5,
) -> None:
    """Lay a sheet that fills everything below `edge` (one height per column) onto the canvas.

    It throws a shadow `reach` pixels up onto what lies behind, and catches light along its edge.
    """
    width, height = canvas.size
    slope = np.gradient(edge)
    steep = (1 / np.sqrt(1 + slope * slope)).astype(np.float32)
    top = max(0, math.floor(float(edge.min()) - reach * 1.6))
    bottom = min(height, math.ceil(float(edge.max()) + reach))
    if top >= height:
        return
    steps = 4
    if bottom > top:
        rows = np.arange(top, bottom, dtype=np.float32)[:, None]
        inside = (rows + np.float32(0.5) - edge.astype(np.float32)) * steep
        depth = (inside + np.float32(reach)) * np.float32(steps)
        index = np.clip(depth, 0, np.float32(2 * reach * steps - 1)).astype(np.int32)
        away = np.arange(int(2 * reach * steps)) / steps - reach + 0.5 / steps
        near = np.clip(1 + away / reach, 0, 1)
        shade = np.where(away < 1.5, near**2.6 * strength, 0)
        canvas.paste(shadow, (0, top), _mask(np.rint(shade * 255).astype(np.uint8)[index]))
        cover = np.rint(np.clip(away + 0.5, 0, 1) * 255).astype(np.uint8)
        covering = _mask(cover[index])
        sheet = fill.crop((0, top, width, bottom))
        if rim is not None:
            glow = np.where(away > -1, np.clip(1 - away / reach, 0, 1) ** 3 * rim_strength, 0)
            sheet.paste(rim, (0, 0), _mask(np.rint(glow * 255).astype(np.uint8)[index]))
        canvas.paste(sheet, (0, top), covering)
    if bottom < height:
        start = max(bottom, 0)
        canvas.paste(fill.crop((0, start, width, height)), (0, start))


def paper_waves(scene: Scene) -> Image.Image:
    """Sheets of cut paper lying over each other, with soft shadows between them."""
    palette = scene.palette
    layers = 7 if scene.height <= scene.width * 1.3 else 9
    tones = palette.steps(layers + 1)
    if not palette.dark:
        tones.reverse()
    sky = tones[0]
    canvas = _vertical(scene, toned(sky, float(sky[0]) - 0.03), toned(sky, float(sky[0]) + 0.03))
    x = np.arange(scene.width) / scene.short
    tilt = scene.between(-0.16, 0.16)
    base_phase = scene.between(0, math.tau)
    reach = scene.short * 0.045
    for number in range(layers):
        lab = tones[number + 1]
        step = (number + 0.55) / layers
        level = scene.height * (0.15 + 0.86 * step)
        swing = scene.short * scene.between(0.045, 0.085)
        phase = base_phase + number * scene.between(0.7, 1.5)
        pace = scene.between(0.75, 1.25)
        edge = (
            level
            + tilt * (x - x[-1] / 2) * scene.short * (1 - step)
            + swing * np.sin(x * math.tau * 0.62 * pace + phase)
            + swing * 0.42 * np.sin(x * math.tau * 1.31 * pace + phase * 1.7)
        )
        lightness = float(lab[0])
        fill = _vertical(scene, toned(lab, lightness + 0.035), toned(lab, lightness - 0.06))
        _lay_edge(
            canvas,
            edge,
            fill,
            as_rgb(toned(palette.at(0.0), max(0.1, 0.42 * lightness - 0.06), 0.8)),
            reach=reach,
            strength=0.5 if lightness > 0.5 else 0.62,
            rim=as_rgb(toned(lab, min(0.99, lightness + 0.1), 0.95)),
        )
    return grained(canvas)


def _ridge(scene: Scene, roughness: float, frequency: float) -> Floats:
    """One-dimensional mountain profile, 0..1, one value per column."""
    x = np.arange(scene.width) / scene.short
    total = np.zeros(scene.width)
    weight, pitch, whole = 1.0, frequency, 0.0
    for _ in range(6):
        phase = scene.between(0, 1)
        stretch = scene.between(0.85, 1.2)
        position = x * pitch * stretch + phase
        low = np.floor(position)
        # Peaks of uneven height: each crest of the triangle wave draws its own.
        peaks = scene.random.random(int(low.max()) + 3)
        blend = position - low
        own, following = peaks[low.astype(np.int64)], peaks[low.astype(np.int64) + 1]
        ease = blend * blend * (3 - 2 * blend) * (1 - roughness) + blend * roughness
        total += weight * (own * (1 - ease) + following * ease)
        whole += weight
        weight *= 0.3 + 0.18 * roughness
        pitch *= 2.05
    profile: Floats = total / whole
    return profile


def sunrise(scene: Scene) -> Image.Image:
    """Mountain ranges fading into morning haze under a large sun."""
    palette, short = scene.palette, scene.short
    night = palette.dark
    horizon_at = 0.60 if scene.height <= scene.width * 1.3 else 0.54
    ranges = 5
    tones = palette.steps(ranges + 3)
    haze = palette.at(0.80 if night else 0.97)
    if night:
        zenith = palette.at(0.14)
    else:
        skies = [lab for lab in palette.anchors if 0.66 < float(lab[0]) < 0.94] or [tones[-2]]
        zenith = max(skies, key=lambda lab: float(np.hypot(lab[1], lab[2])))
    canvas = _vertical(scene, zenith, haze, 0.9)
    warmest = max(palette.colors, key=lambda lab: float(lab[1] + lab[2] * 0.6 + lab[0] * 0.15))
    if night or warmest[1] + warmest[2] < 0.06:
        sun_lab = palette.at(1.0)
    else:
        sun_lab = warmest
    if float(((sun_lab - (zenith + haze) / 2) ** 2).sum()) < 0.004:
        sun_lab = toned(warmest, 0.80, 2.6) if warmest[0] > 0.8 else palette.at(0.55)
    radius = short * scene.between(0.13, 0.19)
    sun_x = scene.width * scene.one_of((scene.between(0.26, 0.4), scene.between(0.6, 0.74)))
    sun_y = scene.height * horizon_at - radius * scene.between(0.75, 1.5)
    canvas = _with_glow(canvas, sun_x, sun_y, radius * 3.6, as_rgb(sun_lab), 0.5)
    _disc(canvas, sun_x, sun_y, radius, as_rgb(sun_lab))

    for number in range(ranges):
        depth = (number + 1) / ranges
        lab = tones[ranges - 1 - number]
        mist = toned(lab, float(lab[0] + (haze[0] - lab[0]) * 0.4)) * 0.86 + haze * 0.14
        rise = short * (0.46 - 0.2 * depth)
        level = scene.height * (horizon_at + (1.06 - horizon_at) * (depth - 0.1) ** 1.25)
        edge = level - rise * (_ridge(scene, 0.95 - 0.35 * depth, 1.5 + 0.9 * depth) - 0.25)
        fade = np.clip(
            (np.arange(scene.height) - float(edge.min())) / (short * (0.42 - 0.1 * depth)), 0, 1
        )[:, None]
        column = lab_to_rgb(lab * (1 - fade) + mist * fade)
        fill = Image.fromarray(column[:, None, :]).resize(
            (scene.width, scene.height), Image.Resampling.NEAREST
        )
        if number == ranges - 1:
            fill = Image.new("RGB", canvas.size, as_rgb(lab))
        _lay_edge(
            canvas,
            edge,
            fill,
            as_rgb(mist),
            reach=short * 0.05,
            strength=0.22,
            rim=None,
        )
        if number == ranges - 1:
            _plant_trees(scene, canvas, edge, as_rgb(lab))
    return grained(canvas)


def _plant_trees(scene: Scene, canvas: Image.Image, edge: Floats, color: Triple) -> None:
    """Stand a loose row of conifers on the front hill, thicker towards one side."""
    short, scale = scene.short, 3
    tallest = short * 0.15
    top = max(0, int(float(edge.min()) - tallest))
    if scene.height - top < 8:
        return
    mask = Image.new("L", (scene.width * scale, (scene.height - top) * scale), 0)
    draw = ImageDraw.Draw(mask)
    side = scene.one_of((0.0, 1.0))
    x = -tallest * 0.1
    while x < scene.width + tallest * 0.1:
        near_side = abs(x / scene.width - side)
        size = tallest * (1.0 - 0.72 * near_side**0.7) * scene.between(0.45, 1.0)
        column = min(max(int(x), 0), scene.width - 1)
        ground = float(edge[column]) + short * 0.012
        outline_left: list[tuple[float, float]] = []
        outline_right: list[tuple[float, float]] = []
        tiers = 7
        for tier in range(tiers):
            low = (tier + 1) / tiers
            for part, spread in ((low, low * 0.19 + 0.012), (low - 0.02, low * 0.115)):
                height = (ground - size + size * part - top) * scale
                jitter = scene.between(0.86, 1.1)
                outline_left.append(((x - size * spread * jitter) * scale, height))
                outline_right.append(((x + size * spread * jitter) * scale, height))
        tip = (x * scale, (ground - size - top) * scale)
        draw.polygon([tip, *outline_left, *reversed(outline_right)], fill=255)
        x += tallest * scene.between(0.1, 0.26) * (0.75 + 1.9 * near_side)
    canvas.paste(color, (0, top), mask.reduce(scale))


@lru_cache(maxsize=1)
def _glow_mask() -> Image.Image:
    size = 256
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    away = np.sqrt(axis * axis + (axis * axis)[:, None])
    near = np.clip(1 - away, 0, 1)
    return Image.fromarray(np.rint(near**2.4 * 255).astype(np.uint8))


def _with_glow(
    canvas: Image.Image, x: float, y: float, radius: float, color: Triple, strength: float
) -> Image.Image:
    size = max(2, round(radius * 2))
    mask = _glow_mask().resize((size, size), Image.Resampling.BICUBIC)
    mask = mask.point([round(level * strength) for level in range(256)])
    canvas.paste(color, (round(x - radius), round(y - radius)), mask)
    return canvas


def _disc(canvas: Image.Image, x: float, y: float, radius: float, color: Triple) -> None:
    mask = _disc_mask(math.ceil(radius * 2))
    canvas.paste(color, (round(x - mask.width / 2), round(y - mask.height / 2)), mask)


def _disc_mask(size: int) -> Image.Image:
    mask = Image.new("L", (size * 4, size * 4), 0)
    ImageDraw.Draw(mask).ellipse((0, 0, size * 4 - 1, size * 4 - 1), fill=255)
    return mask.reduce(4)


def bauhaus(scene: Scene) -> Image.Image:
    """Tiles of quarter discs, arches and stripes on a strict grid, in flat colors."""
    cells = 5 if scene.width != scene.height else 4
    cell = math.ceil(scene.short / cells)
    columns, rows = -(-scene.width // cell), -(-scene.height // cell)
    left, top = (scene.width - columns * cell) // 2, (scene.height - rows * cell) // 2
    flats = scene.palette.flats
    canvas = Image.new("RGB", (scene.width, scene.height), as_rgb(scene.palette.ground))
    taken = np.zeros((rows, columns), dtype=np.bool_)
    masks: dict[tuple[int, int], Image.Image] = {}
    big = max(1, round(rows * columns / 11))
    spots = [(row, column, 2) for row in range(rows - 1) for column in range(columns - 1)]
    order = np.argsort(scene.random.random(len(spots)), kind="stable")
    chosen = [spots[int(number)] for number in order]
    placed: list[tuple[int, int, int]] = []
    for row, column, span in chosen:
        if len(placed) == big:
            break
        if not taken[row : row + span, column : column + span].any():
            taken[row : row + span, column : column + span] = True
            placed.append((row, column, span))
    placed += [(r, c, 1) for r in range(rows) for c in range(columns) if not taken[r, c]]
    last = -1
    deck: list[int] = []
    for row, column, span in placed:
        if not deck:
            deck = [int(n) for n in np.argsort(scene.random.random(len(_TILES)), kind="stable")]
        if deck[-1] == last and len(deck) > 1:
            deck[-1], deck[-2] = deck[-2], deck[-1]
        last = deck.pop()
        back = scene.one_of(flats)
        gaps = [float(((flat - back) ** 2).sum()) for flat in flats]
        # Only pairs the eye separates at once; a palette always has one, so fall back to it.
        fronts = [f for f, gap in zip(flats, gaps, strict=True) if gap > 0.03]
        front = scene.one_of(fronts) if fronts else flats[int(np.argmax(gaps))]
        size = cell * span
        if (last, size) not in masks:
            masks[last, size] = _tile_mask(last, size)
        mask = masks[last, size]
        turn = scene.one_of(_TURNS)
        if turn is not None:
            mask = mask.transpose(turn)
        spot = (left + column * cell, top + row * cell)
        canvas.paste(as_rgb(back), (*spot, spot[0] + size, spot[1] + size))
        canvas.paste(as_rgb(front), spot, mask)
    return grained(canvas)


_TURNS: tuple[Image.Transpose | None, ...] = (
    None,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
)


def _tile_mask(number: int, size: int) -> Image.Image:
    scale = 4 if size < 300 else 3
    whole = size * scale
    mask = Image.new("L", (whole, whole), 0)
    _TILES[number](ImageDraw.Draw(mask), whole)
    return mask.reduce(scale)


def _quarter(draw: ImageDraw.ImageDraw, s: int) -> None:
    draw.ellipse((-s, -s, s - 1, s - 1), fill=255)


def _half(draw: ImageDraw.ImageDraw, s: int) -> None:
    draw.ellipse((0, -s // 2, s - 1, s // 2), fill=255)


def _round(draw: ImageDraw.ImageDraw, s: int) -> None:
    draw.ellipse((s * 0.12, s * 0.12, s * 0.88, s * 0.88), fill=255)


def _rings(draw: ImageDraw.ImageDraw, s: int) -> None:
    for number, reach in enumerate((1.0, 0.78, 0.56, 0.34)):
        edge = s * reach
        draw.ellipse((-edge, -edge, edge - 1, edge - 1), fill=255 if number % 2 == 0 else 0)


def _leaf(draw: ImageDraw.ImageDraw, s: int) -> None:
    points = []
    for step in range(65):
        angle = math.pi / 2 * step / 64
        points.append((s * math.sin(angle), s - s * math.cos(angle)))
    for step in range(65):
        angle = math.pi / 2 * step / 64
        points.append((s - s * math.sin(angle), s * math.cos(angle)))
    draw.polygon(points, fill=255)


def _triangle(draw: ImageDraw.ImageDraw, s: int) -> None:
    draw.polygon([(0, 0), (s, 0), (0, s)], fill=255)


def _stripes(draw: ImageDraw.ImageDraw, s: int) -> None:
    for number in range(4):
        draw.rectangle((s * number / 4, 0, s * (number / 4 + 0.125) - 1, s), fill=255)


def _arch(draw: ImageDraw.ImageDraw, s: int) -> None:
    for inset, fill in ((0.0, 255), (0.2, 0), (0.36, 255)):
        edge = s * inset
        draw.ellipse((edge, edge, s - 1 - edge, s * 1.0 - edge), fill=fill)
        draw.rectangle((edge, s / 2, s - 1 - edge, s), fill=fill)


def _bowtie(draw: ImageDraw.ImageDraw, s: int) -> None:
    draw.ellipse((-s / 2, 0, s / 2, s - 1), fill=255)
    draw.ellipse((s / 2, 0, s * 1.5, s - 1), fill=255)


def _target(draw: ImageDraw.ImageDraw, s: int) -> None:
    for number, inset in enumerate((0.08, 0.22, 0.36)):
        box = (s * inset, s * inset, s * (1 - inset), s * (1 - inset))
        draw.ellipse(box, fill=255 if number % 2 == 0 else 0)


def _flower(draw: ImageDraw.ImageDraw, s: int) -> None:
    for x, y in ((0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)):
        draw.ellipse((s * x, s * y, s * (x + 0.5) - 1, s * (y + 0.5) - 1), fill=255)
    draw.rectangle((s * 0.25, s * 0.25, s * 0.75, s * 0.75), fill=255)
    draw.ellipse((s * 0.36, s * 0.36, s * 0.64, s * 0.64), fill=0)


_TILES: tuple[Callable[[ImageDraw.ImageDraw, int], None], ...] = (
    _quarter,
    _half,
    _round,
    _rings,
    _leaf,
    _triangle,
    _stripes,
    _arch,
    _bowtie,
    _target,
    _flower,
)


def flow_field(scene: Scene) -> Image.Image:
    """Thousands of strokes combed along an invisible current."""
    palette, short = scene.palette, scene.short
    # Strokes glow on a dark ground; only a brand of nothing but pastels is drawn on a pale one.
    night = palette.by_lightness[0][0] < 0.66
    ground = palette.ground
    if night:
        deepest = palette.at(0.0)
        ground = toned(deepest, min(float(deepest[0]), 0.23), 0.95)
    current, tint, calm = Swell(scene, 0.5), Swell(scene, 0.7), Swell(scene, 0.35)
    x, y = scene.grid(160)
    heading = scene.between(0, math.tau)
    angle = heading + math.pi * 1.15 * current(x, y)
    step_x, step_y = np.cos(angle), np.sin(angle)
    rows, columns = angle.shape
    tone = _spread(tint(x + 0.15 * step_x, y + 0.15 * step_y), 0.9)
    quiet = _spread(calm(x, y), 1.0)

    scale = 2
    spacing = short * 0.021
    across, down = int(scene.width / spacing) + 4, int(scene.height / spacing) + 4
    count = across * down
    start_x = (np.arange(count) % across - 1.5 + scene.random.random(count)) * spacing
    start_y = (np.arange(count) // across - 1.5 + scene.random.random(count)) * spacing
    lengths = scene.random.random(count)
    luck = scene.random.random(count)
    steps = 22
    stride = short * 0.0075
    path = np.empty((steps, count, 2))
    path[0, :, 0], path[0, :, 1] = start_x, start_y
    for number in range(1, steps):
        column = np.clip(path[number - 1, :, 0] / scene.width * columns, 0, columns - 1)
        row = np.clip(path[number - 1, :, 1] / scene.height * rows, 0, rows - 1)
        cell = (row.astype(np.int64), column.astype(np.int64))
        path[number, :, 0] = path[number - 1, :, 0] + step_x[cell] * stride
        path[number, :, 1] = path[number - 1, :, 1] + step_y[cell] * stride
    column = np.clip(start_x / scene.width * columns, 0, columns - 1).astype(np.int64)
    row = np.clip(start_y / scene.height * rows, 0, rows - 1).astype(np.int64)
    place = np.clip(tone[row, column] * 0.86 + (luck - 0.5) * 0.34 + 0.07, 0, 1)
    hush = quiet[row, column]

    canvas = Image.new("RGB", (scene.width * scale, scene.height * scale), as_rgb(ground))
    draw = ImageDraw.Draw(canvas)
    # In the calm part of the picture strokes sink towards the ground, which leaves the eye, and
    # a logo, somewhere to rest.
    sink = np.clip((hush - 0.52) * 2.2, 0, 0.86)[:, None]
    index = np.rint(place * (len(palette.ramp_lab) - 1)).astype(np.int64)
    colors = lab_to_rgb(palette.ramp_lab[index] * (1 - sink) + ground * sink)
    order = np.argsort(place if night else -place, kind="stable")
    widths = np.rint(short * scale * (0.0022 + 0.0042 * luck * luck)).astype(np.int64)
    keep = (7 + lengths * (steps - 7)).astype(np.int64)
    pixels = np.rint(path * scale).astype(np.int64)
    for number in order.tolist():
        line = pixels[: keep[number], number].ravel().tolist()
        red, green, blue = colors[number].tolist()
        draw.line(line, fill=(red, green, blue), width=max(1, int(widths[number])))
    return grained(canvas.reduce(scale))


def contours(scene: Scene) -> Image.Image:
    """A valley carved in layers of paper along the lines of a contour map."""
    palette, short = scene.palette, scene.short
    margin = 4
    resolution = 128
    x, y = scene.grid(resolution)
    pad = margin / resolution
    x = x * (1 + 2 * pad * short / scene.width)
    y = y * (1 + 2 * pad * short / scene.height)
    warp_x, warp_y, hills = Swell(scene, 0.6), Swell(scene, 0.6), Swell(scene, 0.62)
    bent_x, bent_y = x + 0.1 * warp_x(x, y), y + 0.1 * warp_y(x, y)
    field = _spread(hills(bent_x, bent_y), 0.75)
    slope_y, slope_x = np.gradient(field)
    cells = short / (field.shape[1] * short / scene.width)
    slope = np.sqrt(slope_x * slope_x + slope_y * slope_y) / cells
    fine = _upscaled(scene, field, margin)
    # Bilinear: bicubic overshoots below zero beside a plateau and turns the sheets inside out.
    sharp = _upscaled(scene, 1 / np.maximum(slope, 0.0003), margin, Image.Resampling.BILINEAR)

    levels = 7
    tones = palette.steps(levels)
    if not palette.dark:
        tones.reverse()
    deepest = tones[0]
    canvas = _vertical(
        scene,
        toned(deepest, float(deepest[0]) + 0.02),
        toned(deepest, float(deepest[0]) - 0.02),
    )
    drop = max(2, round(short * 0.011))
    # Coverage at 255 per pixel of distance; the buffers are reused because fresh megabytes cost
    # more than the arithmetic on them.
    sharp = sharp * np.float32(255)
    inside, clipped = np.empty_like(fine), np.empty_like(fine)
    for number in range(1, levels):
        np.subtract(fine, np.float32(number / levels), out=inside)
        np.multiply(inside, sharp, out=inside)
        np.add(inside, np.float32(128), out=inside)
        mask = _mask(np.clip(inside, 0, 255, out=clipped).astype(np.uint8))
        lab = tones[number]
        lightness = float(lab[0])
        small = mask.reduce(4).filter(ImageFilter.GaussianBlur(short * 0.0042))
        strength = 0.55 if lightness > 0.5 else 0.7
        small = small.point([round(level * strength) for level in range(256)])
        shade = _shifted(small, canvas.size, drop)
        dark = as_rgb(toned(palette.at(0.0), max(0.08, 0.4 * lightness - 0.06), 0.8))
        canvas.paste(dark, (0, 0), shade)
        np.subtract(inside, np.float32(128 + short * 0.4), out=inside)
        lip = _mask(np.clip(inside, 0, 255, out=clipped).astype(np.uint8))
        rim = toned(lab, min(0.99, lightness + 0.07), 0.95)
        along = np.linspace(0, 1, 256)[:, None]
        canvas.paste(_colored(lip, lab_to_rgb(rim * (1 - along) + lab * along)), (0, 0), mask)
    return grained(canvas)


def _shifted(small: Image.Image, size: tuple[int, int], drop: int) -> Image.Image:
    """Enlarge a quarter-size mask, moved down by `drop` pixels and right by half of that.

    Its border pixels are repeated outwards first, so that the move uncovers no unshaded strip.
    """
    pad = drop // 4 + 2
    wide = Image.fromarray(np.pad(np.asarray(small), pad, mode="edge"))
    left, top = pad - drop / 8, pad - drop / 4
    box = (left, top, left + size[0] / 4, top + size[1] / 4)
    return wide.resize(size, Image.Resampling.BILINEAR, box=box)


@lru_cache(maxsize=1)
def _sphere() -> tuple[Image.Image, Image.Image]:
    """Shading of a lit ball, as gray levels along a tonal ramp, and its outline."""
    size = 512
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.broadcast_to(axis, (size, size)), np.broadcast_to(axis[:, None], (size, size))
    squared = np.minimum(x * x + y * y, 1.0)
    z = np.sqrt(1 - squared)
    facing = x * -0.48 + y * -0.60 + z * 0.64
    diffuse = np.clip(facing * 0.62 + 0.38, 0, 1)
    bounce = np.clip(x * 0.45 + y * 0.72, 0, 1) * (1 - z) ** 2
    shine = np.clip(facing, 0, 1) ** 14
    level = 0.08 + 0.74 * diffuse**1.35 + 0.3 * bounce + 0.16 * shine
    shading = Image.fromarray(np.rint(np.clip(level, 0, 1) * 255).astype(np.uint8))
    return shading, _disc_mask(size)


def _ball(lab: Floats, size: int, light: Floats) -> Image.Image:
    shading, _ = _sphere()
    lightness = float(lab[0])
    deep = toned(lab, max(0.14, lightness * 0.5), 0.95)
    pale = toned(lab, min(0.985, lightness + (1 - lightness) * 0.62), 0.6) * 0.85 + light * 0.15
    along = np.linspace(0, 1, 256)[:, None]
    lower, upper = np.clip(along / 0.58, 0, 1), np.clip((along - 0.58) / 0.42, 0, 1)
    table = lab_to_rgb((deep * (1 - lower) + lab * lower) * (1 - upper) + pale * upper)
    return _colored(shading.resize((size, size), Image.Resampling.BICUBIC), table)


def _colored(levels: Image.Image, table: Bytes) -> Image.Image:
    indexed = levels.copy()
    indexed.putpalette(table.tobytes())
    return indexed.convert("RGB")


def orbs(scene: Scene) -> Image.Image:
    """Softly lit balls floating at different depths."""
    palette, short = scene.palette, scene.short
    ground = palette.ground
    lightness = float(ground[0])
    near, far = (0.12, -0.02) if palette.dark else (0.02, -0.10)
    strongest = max(palette.colors, key=lambda lab: float(np.hypot(lab[1], lab[2])))
    wash = np.array([lightness + far, strongest[1] * 0.35, strongest[2] * 0.35])
    canvas = _vertical(scene, toned(ground, lightness + near), wash)
    canvas = _with_glow(
        canvas,
        scene.width * scene.between(0.2, 0.8),
        scene.height * scene.between(0.2, 0.7),
        short * 0.8,
        as_rgb(toned(strongest, lightness + (0.22 if palette.dark else 0.03), 0.7)),
        0.55,
    )
    _, outline = _sphere()
    light = palette.at(1.0)
    shadow = as_rgb(toned(palette.at(0.0), 0.12 if palette.dark else 0.3, 0.9))
    bodies = palette.bodies
    colors = [lab for lab in bodies if float(((lab - ground) ** 2).sum()) > 0.012] or bodies
    lively = sorted(colors, key=lambda lab: -float(np.hypot(lab[1], lab[2])))[:5]
    sizes = [0.26, 0.19, 0.15, 0.12, 0.09, 0.07, 0.055, 0.045, 0.035, 0.028, 0.022]
    if scene.width != scene.height:
        sizes += [0.17, 0.10, 0.05, 0.03]
    sizes.sort(reverse=True)
    placed: list[tuple[float, float, float]] = []
    for share in sizes:
        radius = short * share * scene.between(0.88, 1.12)
        for _ in range(40):
            x = scene.width * scene.between(-0.02, 1.02)
            y = scene.height * scene.between(-0.02, 1.02)
            apart = [math.hypot(x - a, y - b) - (radius + r) for a, b, r in placed]
            if not apart or min(apart) > short * 0.02:
                placed.append((x, y, radius))
                break
    for number, (x, y, radius) in enumerate(reversed(placed)):
        size = max(4, round(radius * 2))
        lab = lively[(len(placed) - 1 - number) % len(lively)]
        soft = max(8, round(size * 1.5))
        canvas = _with_glow(canvas, x + radius * 0.42, y + radius * 0.62, soft * 0.95, shadow, 0.62)
        ball = _ball(lab, size, light)
        mask = outline.resize((size, size), Image.Resampling.BICUBIC)
        canvas.paste(ball, (round(x - radius), round(y - radius)), mask)
    return grained(canvas)


def terrazzo(scene: Scene) -> Image.Image:
    """Chips of stone set in a pale or dark ground, polished flat."""
    palette, short = scene.palette, scene.short
    ground = palette.ground
    flats = [lab for lab in palette.bodies if float(((lab - ground) ** 2).sum()) > 0.004]
    flats = flats or [palette.at(0.5)]
    scale = 3
    canvas = _vertical(
        scene,
        toned(ground, float(ground[0]) + 0.008),
        toned(ground, float(ground[0]) - 0.012),
    )
    colors = canvas.copy()
    paint = ImageDraw.Draw(colors)
    mask = Image.new("L", (scene.width * scale, scene.height * scale), 0)
    cut = ImageDraw.Draw(mask)
    area = scene.width * scene.height / short**2
    plan = [(0.082, 11), (0.058, 22), (0.036, 52), (0.019, 120), (0.0085, 210)]
    stones = np.zeros((3, sum(round(amount * area) for _, amount in plan)))
    count = 0
    for share, amount in plan:
        for _ in range(round(amount * area)):
            radius = short * share * scene.between(0.75, 1.25)
            for x, y in (scene.random.random((7, 2)) * 1.06 - 0.03).tolist():
                x, y = x * scene.width, y * scene.height
                across = stones[0, :count] - x
                down = stones[1, :count] - y
                room = stones[2, :count] + (radius + short * 0.004)
                if not (across * across + down * down < room * room).any():
                    stones[:, count] = x, y, radius
                    count += 1
                    break
    for x, y, radius in stones[:, :count].T.tolist():
        lab = scene.one_of(flats)
        tint = toned(lab, float(lab[0]) + scene.between(-0.025, 0.025))
        shape = _chip(scene, radius)
        cut.polygon([((x + a) * scale, (y + b) * scale) for a, b in shape], fill=255)
        grown = 1 + 2.5 / max(radius, 1.0)
        paint.polygon([(x + a * grown, y + b * grown) for a, b in shape], fill=as_rgb(tint))
    canvas.paste(colors, (0, 0), mask.reduce(scale))
    return grained(canvas)


def _chip(scene: Scene, radius: float) -> list[tuple[float, float]]:
    """Outline of a broken stone around the origin: a few corners, blunted."""
    corners = 5 + int(scene.between(0, 3))
    turn = scene.between(0, math.tau)
    stretch = scene.between(0.6, 1.0)
    lean = scene.between(0, math.tau)
    points = []
    for number in range(corners):
        angle = turn + math.tau * (number + scene.between(-0.3, 0.3)) / corners
        reach = radius * scene.between(0.82, 1.12)
        a, b = math.cos(angle - lean) * reach, math.sin(angle - lean) * reach * stretch
        points.append(
            (a * math.cos(lean) - b * math.sin(lean), a * math.sin(lean) + b * math.cos(lean))
        )
    blunted = []
    for number, (a, b) in enumerate(points):
        before, after = points[number - 1], points[(number + 1) % corners]
        for weight, other in ((0.16, before), (0.05, before), (0.05, after), (0.16, after)):
            # The two inner points sit off the corner, so it is rounded and not just cut.
            pull = 0.0 if weight > 0.1 else 0.035
            blunted.append(
                (
                    (a + (other[0] - a) * weight) * (1 - pull),
                    (b + (other[1] - b) * weight) * (1 - pull),
                )
            )
    return blunted


def isometric(scene: Scene) -> Image.Image:
    """A city of plain blocks seen from above, rising and falling like terrain."""
    palette, short = scene.palette, scene.short
    scale = 2
    edge = short * 0.078 * scale
    half, quarter = edge * 0.8660254, edge * 0.5
    width, height = scene.width * scale, scene.height * scale
    relief, tint = Swell(scene, 0.5), Swell(scene, 0.45)
    canvas = Image.new("RGB", (width, height), as_rgb(palette.at(0.02)))
    draw = ImageDraw.Draw(canvas)
    tallest = edge * 5.0
    rows = int((height + tallest) / quarter) + 4
    columns = int(width / (2 * half)) + 3
    row_numbers, column_numbers = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    x = (column_numbers + (row_numbers % 2) * 0.5) * 2 * half - half
    y = row_numbers * quarter - edge
    units = short * scale
    ups = relief(x / units, y / units)
    ups = np.clip((ups - ups.min()) / max(float(ups.max() - ups.min()), 1e-9), 0, 1)
    jitter = scene.random.random(ups.shape)
    storeys = np.array([0.0, 0.0, 0.05, 0.05, 0.1, 0.16, 0.26])
    own = storeys[(scene.random.random(ups.shape) * len(storeys)).astype(np.int64)]
    steps = np.clip(np.rint(ups**1.3 * 12) / 16 + own, 0, 1)
    hues = tint(x / units, y / units)
    hues = (hues - hues.min()) / max(float(hues.max() - hues.min()), 1e-9)
    place = _spread(0.5 * steps + 0.5 * hues + (jitter - 0.5) * 0.1, 0.6)
    tones = np.array(palette.steps(10))
    index = 1 + np.rint(place * (len(tones) - 2)).astype(np.int64)
    lab, beneath = tones[index], tones[index - 1]
    faces = []
    # Faces turned away borrow hue from the next darker tone: a yellow merely darkened is olive.
    for change, borrowed in ((0.03, 0.0), (-0.06, 0.3), (-0.17, 0.6), (0.055, 0.0)):
        face = lab * (1 - borrowed) + beneath * borrowed
        face[..., 0] = lab[..., 0] + change * (0.55 + lab[..., 0])
        face[..., 0] = np.clip(face[..., 0], 0.06, 0.985)
        faces.append(lab_to_rgb(face).tolist())
    for row in range(rows):
        for column in range(columns):
            cx, base = float(x[row, column]), float(y[row, column])
            top = base - float(steps[row, column]) * tallest
            if top > height or base + edge * 2 < 0:
                continue
            foot = base + edge * 4
            up, left, right = (tuple(face[row][column]) for face in faces[:3])
            draw.polygon(
                [(cx - half, top), (cx, top + quarter), (cx, foot), (cx - half, foot)],
                fill=cast(Triple, left),
            )
            draw.polygon(
                [(cx, top + quarter), (cx + half, top), (cx + half, foot), (cx, foot)],
                fill=cast(Triple, right),
            )
            draw.polygon(
                [(cx, top - quarter), (cx + half, top), (cx, top + quarter), (cx - half, top)],
                fill=cast(Triple, up),
                outline=cast(Triple, tuple(faces[3][row][column])),
                width=scale,
            )
    return grained(canvas.reduce(scale))


def retro_stripes(scene: Scene) -> Image.Image:
    """Bands of color that run straight and sweep round a bend, as on a seventies poster."""
    palette, short = scene.palette, scene.short
    ground = palette.ground
    canvas = _vertical(
        scene,
        toned(ground, float(ground[0]) + 0.01),
        toned(ground, float(ground[0]) - 0.02),
    )
    bands = sorted(palette.bodies, key=lambda lab: -float(lab[0]))
    bands = [lab for lab in bands if float(((lab - ground) ** 2).sum()) > 0.004] or bands
    if len(bands) > 6:
        bands = bands[:6]
    flip_x, flip_y = scene.random.random() < 0.5, scene.random.random() < 0.5
    thickness = short * scene.between(0.058, 0.072) * 5 / max(5, len(bands))
    inner = short * scene.between(0.12, 0.2)
    outer = inner + thickness * len(bands)
    bend_x = scene.width - outer - short * scene.between(0.06, 0.16)
    bend_y = scene.height * (1 - scene.between(0.30, 0.42))
    _lay_bands(canvas, bend_x, bend_y, inner, thickness, bands, flip_x, flip_y)
    second = short * scene.between(0.03, 0.08)
    _lay_bands(
        canvas,
        scene.width - short * scene.between(0.62, 0.8),
        min(scene.height - short * 0.02, bend_y + outer * 0.95),
        second,
        thickness * 0.72,
        bands[::-1],
        flip_x,
        flip_y,
    )
    return grained(canvas)


def _lay_bands(
    canvas: Image.Image,
    bend_x: float,
    bend_y: float,
    inner: float,
    thickness: float,
    bands: Sequence[Floats],
    flip_x: bool,
    flip_y: bool,
) -> None:
    """Lay parallel bands coming from the left, turning round (bend_x, bend_y), going down."""
    width, height = canvas.size
    x = np.arange(width, dtype=np.float32) + np.float32(0.5 - bend_x)
    y = np.float32(bend_y - 0.5) - np.arange(height, dtype=np.float32)
    if flip_x:
        x = x[::-1]
    if flip_y:
        y = y[::-1]
    right, above = np.maximum(x, 0), np.maximum(y, 0)
    distance = np.sqrt(right * right + (above * above)[:, None])
    # Left of and below the bend there is no band at all.
    reach = 14.0
    steps = 4
    outer = inner + thickness * len(bands)
    index = np.clip(distance * np.float32(steps), 0, np.float32((outer + reach) * steps)).astype(
        np.int32
    )
    places = np.arange(int((outer + reach) * steps) + 1) / steps
    table = np.zeros((places.size, 3))
    for number, lab in enumerate(bands):
        if number == 0:
            table[:] = lab
            continue
        start = inner + number * thickness
        share = np.clip(places - start + 0.5, 0, 1)[:, None]
        table = table * (1 - share) + lab * share
    colors = lab_to_rgb(table)
    cover = np.clip(np.minimum(places - inner, outer - places) + 0.5, 0, 1)
    shade = np.clip(1 - np.maximum(inner - places, places - outer) / reach, 0, 1) ** 2 * 0.28
    canvas.paste((12, 10, 14), (0, 0), _mask(np.rint(shade * 255).astype(np.uint8)[index]))
    rgb = colors[index]
    canvas.paste(Image.fromarray(rgb), (0, 0), _mask(np.rint(cover * 255).astype(np.uint8)[index]))


PAINTERS: dict[str, Callable[[Scene], Image.Image]] = {
    "mesh-gradient": mesh_gradient,
    "paper-waves": paper_waves,
    "sunrise": sunrise,
    "orbs": orbs,
    "flow-field": flow_field,
    "contours": contours,
    "isometric": isometric,
    "bauhaus": bauhaus,
    "terrazzo": terrazzo,
    "retro-stripes": retro_stripes,
}
