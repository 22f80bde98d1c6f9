"""The brand compositor: moves a picture to the palette, writes on it, lays the exact logo, and
measures how well the brand came out.

Words and logo never meet, and both read: where the picture behind the words is too bright, too dark
or too busy, it is veiled with a tone of the palette, as little as it takes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from imagelayer.design.designs import Treatment
from imagelayer.render import words
from imagelayer.render.color import Palette, rgb_to_lab
from imagelayer.render.layouts import (
    Block,
    Box,
    Insets,
    Layout,
    Placed,
    TextDoesNotFit,
    blocks_of,
    lay_out,
    margins,
    place,
    without,
)
from imagelayer.render.logos import (
    CORNERS,
    MIN_CONTRAST,
    VARIANTS,
    Corner,
    LogoReport,
    Prepared,
    box_at,
    choose_corner,
    lay,
    prepare,
)
from imagelayer.render.tones import MIN_TEXT_CONTRAST
from imagelayer.render.treatment import TINT_STRENGTHS, duotone, tint
from imagelayer.render.words import TextReport

__all__ = ["TextDoesNotFit", "compose"]

# Mean OKLab distance x100. About 2 is just noticeable; the studio stays under 4.
MAX_PALETTE_DISTANCE: Final = 8.0
# Of the picture's short side. A smaller logo was uploaded too small, and is never enlarged.
MIN_LOGO_SHARE: Final = 0.05
_SAMPLES: Final = 80


@dataclass(frozen=True)
class Check:
    """One thing that was measured; it passes at `limit`, which is the least or the most allowed."""

    name: str
    measured: float
    limit: float
    passed: bool


@dataclass(frozen=True)
class BrandReport:
    """What was measured on the finished picture.

    `palette_distance`, see `palette_distance()`; None without a palette. `treatment` is what was
    done to bring it down. `logo` is None when none was laid; `texts` has every block of words, the
    brand's name among them where it stands in for a logo. `passed` needs every check to pass.
    """

    palette_distance: float | None
    treatment: str
    logo: LogoReport | None
    texts: tuple[TextReport, ...]
    checks: tuple[Check, ...]
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        report = asdict(self)
        report["texts"] = list(report["texts"])
        report["checks"] = list(report["checks"])
        return report


@dataclass(frozen=True)
class Composition:
    """A branded RGB picture and its report."""

    image: Image.Image
    report: BrandReport


def palette_distance(picture: Image.Image, palette: Sequence[str]) -> float | None:
    """Measure how far a picture strays from a palette; 0 is on it, None without a palette.

    The mean over an even grid of up to 80 x 80 pixels of the OKLab distance, times 100, to the
    nearest point of the palette's figure: every color's straight line to black and to white (its
    shades and tints), and the straight lines joining colors that are neighbors in lightness
    (their blends). A just noticeable difference is about 2.
    """
    if not palette:
        return None
    rgb = picture.convert("RGB")
    columns, rows = min(_SAMPLES, rgb.width), min(_SAMPLES, rgb.height)
    sampled = np.asarray(rgb.resize((columns, rows), Image.Resampling.NEAREST))
    pixels = rgb_to_lab(sampled.reshape(-1, 3))
    colors = Palette(palette).by_lightness
    black, white = np.zeros(3), np.array([1.0, 0.0, 0.0])
    segments = [(color, end) for color in colors for end in (black, white)]
    segments += list(zip(colors, colors[1:], strict=False))
    squares = (pixels * pixels).sum(axis=1)
    nearest = np.full(len(pixels), np.inf)
    for start, end in segments:
        way = end - start
        length = max(float((way * way).sum()), 1e-12)
        # |pixel - start - along * way|², multiplied out so that each segment takes two products.
        onto = pixels @ way - float(start @ way)
        along = np.clip(onto / length, 0, 1)
        gap = squares - 2 * (pixels @ start) + float(start @ start)
        nearest = np.minimum(nearest, gap + along * (along * length - 2 * onto))
    return round(float(np.sqrt(np.maximum(nearest, 0)).mean()) * 100, 2)


def compose(
    picture: Image.Image,
    *,
    palette: Sequence[str],
    logos: Mapping[str, Image.Image],
    corner: Corner = "auto",
    watermark: bool = False,
    text: Mapping[str, Any] | None = None,
    template: Mapping[str, Any] | None = None,
    typography: Mapping[str, Any] | None = None,
    brandmark: str | None = None,
    treatment: Treatment = "none",
    insets: Insets = (0.0, 0.0, 0.0, 0.0),
) -> Composition:
    """Lay a brand on a picture and measure the result.

    `logos` maps "logo", "logo_dark" (for dark backgrounds) and "logo_mono" to pictures with
    transparency; the variant that reads best before the picture is used, the plain logo first
    among equals. `corner` "auto" picks the calmest corner that the words leave free; "none" lays
    no logo. A logo is scaled down when larger than 28 % of the width (of a
    picture taller than 9:16, 15 % of the height or half of the width) or 14 % of the short side,
    never up; at original size its opaque pixels are exact in the result. Without any logo the
    `brandmark`, the brand's name, is written in its place.

    `text` and `template` are `designs.Text` and `designs.Template` as plain dictionaries, at most
    one of them; `typography` is `designs.Typography`. Words are as large as their zone allows.
    `insets` are the shares of height, width, height and width that stay free of words and logo at
    the top, right, bottom and left (`presets.SAFE_INSETS`).

    `treatment` moves the picture to the palette: "duotone" paints its tones in the palette's ramp,
    "tint" goes part of that way, "auto" as far as the palette distance needs and no farther.
    `watermark` writes TEST across everything but the logo and its clear space.

    The picture given is left as it is. Raises TextDoesNotFit, a ValueError; ValueError for an
    unknown logo kind, corner, template or face, a malformed color or a logo with no visible pixel.
    """
    if set(logos) - set(VARIANTS):
        raise ValueError("logos are named logo, logo_dark or logo_mono")
    if corner not in (*CORNERS, "auto", "none"):
        raise ValueError("unknown corner")
    if text is not None and template is not None:
        raise ValueError("a picture bears a text or a template")
    colors = tuple(palette)
    blocks = blocks_of(text, template, typography)
    canvas, distance, treated = _treated(picture, colors, treatment)
    named = not logos and brandmark is not None and bool(brandmark.strip())
    if named:
        logos = words.wordmark(brandmark or "", colors, typography, canvas.size)
    mark: Prepared | None = None
    if logos and corner != "none":
        mark = prepare(
            logos,
            canvas.size,
            margins=margins(canvas.size, insets) if blocks or any(insets) else (0, 0, 0, 0),
            required_contrast=MIN_TEXT_CONTRAST if named else MIN_CONTRAST,
            named=named,
        )
    logo, texts = _lay_all(canvas, colors, blocks, mark, corner, insets)
    if watermark:
        _watermark(canvas, logo)
    if logo is not None and named:
        texts.append(words.wordmark_report(logo, colors, typography))
        logo = None
    checks = _checks(canvas.size, distance, logo, texts)
    passed = all(check.passed for check in checks)
    report = BrandReport(distance, treated, logo, tuple(texts), checks, passed)
    return Composition(canvas, report)


def _treated(
    picture: Image.Image, palette: tuple[str, ...], treatment: Treatment
) -> tuple[Image.Image, float | None, str]:
    """A copy of the picture moved to the palette, its distance then, and what was done."""
    canvas = picture.convert("RGB")
    canvas.info.clear()
    if palette and treatment == "duotone":
        canvas = duotone(canvas, palette)
    elif palette and treatment == "tint":
        canvas = tint(canvas, palette, TINT_STRENGTHS[1])
    distance = palette_distance(canvas, palette)
    if treatment in ("tint", "duotone"):
        return canvas, distance, treatment if palette else "none"
    if treatment == "none" or distance is None or distance <= MAX_PALETTE_DISTANCE:
        return canvas, distance, "none"
    tinted = canvas
    for strength in TINT_STRENGTHS:
        tinted = tint(canvas, palette, strength)
        distance = palette_distance(tinted, palette)
        if distance is not None and distance <= MAX_PALETTE_DISTANCE:
            break
    return tinted, distance, "tint"


def _lay_all(
    canvas: Image.Image,
    palette: tuple[str, ...],
    blocks: Sequence[Block],
    mark: Prepared | None,
    corner: Corner,
    insets: Insets,
) -> tuple[LogoReport | None, list[TextReport]]:
    """Lay words and logo where neither meets the other."""
    if not blocks:
        if mark is None:
            return None, []
        corner = choose_corner(canvas, mark) if corner == "auto" else corner
        return lay(canvas, palette, mark, corner), []
    layout = lay_out(canvas.size, blocks, insets)
    placed, corner = _arranged(canvas, blocks, layout, mark, corner)
    inks, chosen = words.write(canvas, palette, placed, layout)
    logo = None if mark is None else lay(canvas, palette, mark, corner)
    return logo, words.imprint(canvas, inks, placed, chosen)


def _arranged(
    canvas: Image.Image,
    blocks: Sequence[Block],
    layout: Layout,
    mark: Prepared | None,
    corner: Corner,
) -> tuple[list[Placed], Corner]:
    """Set the words, and find the logo a corner they leave free; where it may not choose or finds
    none, the words make room."""
    placed = place(canvas.size, blocks, layout)
    if mark is None:
        return placed, corner
    corners = CORNERS if corner == "auto" else (corner,)
    free = [option for option in corners if _is_free(canvas, mark, option, placed)]
    if corner == "auto":
        # Below a column of words a logo reads as one more line of it.
        below = "bottom-right" if layout.mirrored else "bottom-left"
        free = [option for option in free if not (layout.sideways and option == below)]
    if free:
        return placed, choose_corner(canvas, mark, free)
    tried: list[tuple[int, Corner, list[Placed]]] = []
    advice = ""
    for option in corners:
        try:
            again = _beside(canvas, blocks, layout, mark, option)
        except TextDoesNotFit as refusal:
            advice = str(refusal)
            continue
        tried.append((-again[0].size, option, again))
    if not tried:
        raise TextDoesNotFit(advice)
    _, corner, placed = min(tried, key=lambda option: option[0])
    return placed, corner


def _beside(
    canvas: Image.Image, blocks: Sequence[Block], layout: Layout, mark: Prepared, corner: Corner
) -> list[Placed]:
    """Set the words beside a logo, again with more room while what they reach over is too much."""
    reserved = _reserved(canvas, mark, corner)
    for _ in range(4):
        placed = place(canvas.size, blocks, without(layout, reserved))
        if _is_free(canvas, mark, corner, placed):
            return placed
        reserved = reserved.grown(max(2, round(max(block.size for block in placed) * 0.15)))
    raise TextDoesNotFit("Shorten the text, which must fit beside the logo")


def _is_free(canvas: Image.Image, mark: Prepared, corner: Corner, placed: Sequence[Placed]) -> bool:
    reserved = _reserved(canvas, mark, corner)
    return not any(reserved.meets(_reach(block)) for block in placed)


def _reserved(canvas: Image.Image, mark: Prepared, corner: Corner) -> Box:
    """The logo's box with its clear space, and no less than what keeps it apart from the words."""
    apart = max(mark.clear_space + 2, round(min(canvas.size) * 0.045))
    return box_at(canvas.size, mark, corner).grown(apart)


def _reach(placed: Placed) -> Box:
    """A block's box with its ascenders and descenders."""
    return placed.box.grown(round(placed.size * 0.3))


def _checks(
    size: tuple[int, int],
    distance: float | None,
    logo: LogoReport | None,
    texts: Sequence[TextReport],
) -> tuple[Check, ...]:
    checks = []
    if distance is not None:
        near = distance <= MAX_PALETTE_DISTANCE
        checks.append(Check("palette_distance", distance, MAX_PALETTE_DISTANCE, near))
    if logo is not None:
        reads = logo.contrast >= MIN_CONTRAST
        checks.append(Check("logo_contrast", logo.contrast, MIN_CONTRAST, reads))
        space, required = logo.clear_space_px, logo.clear_space_required_px
        checks.append(Check("logo_clear_space", space, required, space >= required))
        share = round(max(logo.width, logo.height) / min(size), 3)
        checks.append(Check("logo_size", share, MIN_LOGO_SHARE, share >= MIN_LOGO_SHARE))
    for text in texts:
        checks.append(
            Check(f"text_contrast.{text.role}", text.contrast, MIN_TEXT_CONTRAST, text.passed)
        )
    return tuple(checks)


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
    for mask, color, strength in ((halo, edge, 0.75), (body, word, 0.3 if pale else 0.42)):
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
        canvas.paste(color, (0, 0), faint)
