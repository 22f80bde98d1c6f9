"""The banner that is timed: its pictures and words, and what engines that cannot lay out are given.

Everything about places, colors and the veil is read off the compositor's own banner, so that the
others make the same one.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dev.settings import ROOT
from imagelayer.render.compositor import compose
from imagelayer.render.layouts import Placed, blocks_of, lay_out, place
from imagelayer.render.studio import paint
from imagelayer.render.tones import Theme, theme

PALETTE = ("#2A1712", "#C4471B", "#F08A3C", "#F7C67F", "#FFF3E0")
LOGOS = {
    "logo": ROOT / "dev/assets/demo-logo.png",
    "logo_dark": ROOT / "dev/assets/demo-logo-dark.png",
}
FONTS = ROOT / "layers/render/fonts"
WEIGHTS = (500, 600, 800)
# Of Inter, in ems: its hhea and OS/2 tables.
ASCENT, DESCENT, CAPITALS = 0.96875, 0.24121, 0.72754
SUBHEADS = ("Shipped the day we roast it", "Carbon neutral from farm to cup", "Three new origins")
CTAS = ("Taste it first", "Order a bag", "See the harvest")
# One per round, of about the same length.
HEADLINES = (
    "Mornings begin on the mountain",
    "Slow roasted, quickly delivered",
    "Every harvest tells its own story",
    "Brewing better days since 1998",
    "Bright notes from volcanic soil",
    "Our farmers name the price",
    "Fresh beans within two days",
    "Wake up somewhere higher",
    "Single origin, many friends",
    "Taste what altitude does",
    "Hand picked above the clouds",
    "A quiet cup before sunrise",
    "Espresso without compromise",
    "Grown under old shade trees",
    "From valley fog to warm crema",
    "Coffee that pays its growers",
    "Spring lots have just landed",
    "Darker nights need lighter roasts",
    "Meet the people behind it",
    "Less bitterness, more berries",
    "Winter blend is back again",
    "Washed, dried and never rushed",
    "Built for long conversations",
    "One hill, eleven families",
    "Filter season starts today",
    "Your kitchen, our roastery",
    "Good things percolate slowly",
    "The last sack of Yirgacheffe",
)


def banner(number: int) -> dict[str, str]:
    """The words of one round."""
    return {
        "headline": HEADLINES[number],
        "subhead": SUBHEADS[number % len(SUBHEADS)],
        "cta": CTAS[number % len(CTAS)],
    }


def photo(size: tuple[int, int], style: str) -> Image.Image:
    """A picture with the noise of a camera, as a provider's are: noise is what encoders pay for."""
    painted = paint("hills", seed=5, width=size[0], height=size[1], palette=PALETTE, style=style)
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, 3, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(painted) + noise, 0, 255).astype(np.uint8), "RGB")


@dataclass
class Scene:
    """A picture all engines begin with, as a JPEG, which they decode fastest, and as pixels;
    `designs` has a banner for each round."""

    name: str
    jpeg: bytes
    path: Path
    decoded: Image.Image
    designs: list[dict[str, Any]] = field(default_factory=list)


def logos() -> dict[str, Image.Image]:
    """Both variants, decoded."""
    return {name: opened(path.read_bytes(), "RGBA") for name, path in LOGOS.items()}


def opened(data: bytes, mode: str) -> Image.Image:
    """Decode a file."""
    return Image.open(io.BytesIO(data)).convert(mode)


def design_of(scene: Scene, number: int) -> dict[str, Any]:
    """Where everything stands in the compositor's own banner, for engines that cannot find out."""
    made = compose(scene.decoded, palette=PALETTE, logos=logos(), text=banner(number))
    image, report = made.image, made.report
    logo, size = report.logo, image.size
    if logo is None or logo.plate:
        raise RuntimeError("the banner compared has a logo on the picture itself")
    blocks = blocks_of(banner(number), None, None)
    placed = place(size, blocks, lay_out(size, blocks, (0.0, 0.0, 0.0, 0.0)))
    if [each.size for each in placed] != [text.size for text in report.texts]:
        raise RuntimeError("the compositor set the words elsewhere")
    chosen = next(
        tried
        for tried in (theme(PALETTE, dark=True), theme(PALETTE, dark=False))
        if hex_of(tried.ink) == report.texts[0].color
    )
    return {
        "width": size[0],
        "height": size[1],
        "veil": veil_of(scene.decoded, image, chosen),
        "logo": {"name": logo.variant, "box": [logo.x, logo.y, logo.width, logo.height]},
        "texts": [text_of(each, chosen) for each in placed if each.block.kind == "text"],
        "pill": next(pill_of(each, chosen) for each in placed if each.block.kind == "pill"),
    }


def hex_of(color: Sequence[int]) -> str:
    """#RRGGBB."""
    return "#{:02X}{:02X}{:02X}".format(*color)


def veil_of(before: Image.Image, after: Image.Image, chosen: Theme) -> dict[str, Any]:
    """The veil as a CSS gradient, its opacity read off the banner's own margin."""
    width, height = before.size
    sideways = width > height
    strip = (0, height - 8, width, height) if sideways else (0, 0, 8, height)
    axis = 0 if sideways else 1
    ground = np.array(chosen.ground, dtype=np.float64)
    old, new = (np.asarray(each.crop(strip), dtype=np.float64) for each in (before, after))
    way = ground - old
    # The opacity that explains all pixels of one row or column best.
    alpha = ((new - old) * way).sum(axis=(axis, 2)) / np.maximum((way * way).sum(axis=(axis, 2)), 1)
    marks = np.linspace(0, len(alpha) - 1, 41)
    rgb = ",".join(map(str, chosen.ground))
    stops = ", ".join(
        f"rgba({rgb},{np.clip(alpha[round(mark)], 0, 1):.4f}) {100 * mark / (len(alpha) - 1):.2f}%"
        for mark in marks
    )
    to = "right" if sideways else "bottom"
    return {
        "box": [0, 0, width, height],
        "css": f"linear-gradient(to {to}, {stops})",
    }


def text_of(placed: Placed, chosen: Theme) -> dict[str, Any]:
    """A block of words as lines of CSS."""
    block, size = placed.block, placed.size
    # CSS sets the top of a line's box, our box begins at its capitals.
    top = (block.leading - ASCENT - DESCENT) / 2 + ASCENT - CAPITALS
    return {
        "box": [placed.box.left, round(placed.box.top - top * size, 2)],
        "lines": list(placed.lines),
        "style": {
            "fontFamily": block.face.family,
            "fontWeight": block.face.weight,
            "fontSize": size,
            "lineHeight": f"{block.leading * size:.2f}px",
            "letterSpacing": f"{block.tracking * size:.3f}px",
            "color": hex_of(chosen.ink if block.tone == "ink" else chosen.muted),
        },
    }


def pill_of(placed: Placed, chosen: Theme) -> dict[str, Any]:
    """The call to action."""
    box, face = placed.box, placed.block.face
    return {
        "box": [box.left, box.top, box.width, box.height],
        "label": placed.lines[0],
        "style": {
            "fontFamily": face.family,
            "fontWeight": face.weight,
            "fontSize": placed.size,
            "color": hex_of(chosen.label),
            "backgroundColor": hex_of(chosen.pill),
            "borderRadius": box.height / 2,
        },
    }


def page_of(scene: Scene, design: Mapping[str, Any]) -> str:
    """The same design as HTML."""
    logo = LOGOS[design["logo"]["name"]].read_bytes()
    veil, pill = design["veil"], design["pill"]
    whole = css([0, 0, design["width"], design["height"]])
    body = [
        f'<img style="{whole}" src="{uri(scene.jpeg, "jpeg")}">',
        f'<div style="{css(veil["box"])};background-image:{veil["css"]}"></div>',
        f'<img style="{css(design["logo"]["box"])}" src="{uri(logo, "png")}">',
    ]
    for text in design["texts"]:
        lines = "<br>".join(text["lines"])
        body.append(
            f'<div style="{css(text["box"], text["style"])};white-space:nowrap">{lines}</div>'
        )
    centered = "display:flex;align-items:center;justify-content:center"
    body.append(f'<div style="{css(pill["box"], pill["style"])};{centered}">{pill["label"]}</div>')
    return f"<!doctype html><body style='margin:0;overflow:hidden'>{''.join(body)}"


def css(box: Sequence[float], style: Mapping[str, Any] | None = None) -> str:
    """A box, and a style as satori writes it, in CSS."""
    written = [
        "position:absolute",
        *(
            f"{side}:{value}px"
            for side, value in zip(("left", "top", "width", "height"), box, strict=False)
        ),
    ]
    for name, value in (style or {}).items():
        kebab = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
        bare = isinstance(value, str) or name == "fontWeight"
        written.append(f"{kebab}:{value}" if bare else f"{kebab}:{value}px")
    return ";".join(written)


def uri(data: bytes, kind: str) -> str:
    """A data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
