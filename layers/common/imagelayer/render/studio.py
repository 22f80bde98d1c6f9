"""The built-in image model: abstract brand art, painted offline and the same every time.

It needs no provider, no network and no key. What it paints follows from the prompt, the seed, the
size and the palette alone, so a picture can be made again byte for byte.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from imagelayer.render.color import Palette
from imagelayer.render.styles import PAINTERS, Scene

STYLES: Final[tuple[str, ...]] = tuple(PAINTERS)

SMALLEST_SIDE: Final = 64
LARGEST_SIDE: Final = 4096

# Words are matched whole, in lower case, with a plural "s" ignored.
_WORDS: Final[dict[str, str]] = {
    "mesh-gradient": "mesh gradient silk satin aurora blur blurred smooth soft dreamy ethereal "
    "holographic iridescent fluid minimal minimalist simple clean saas startup software cloud "
    "smoke fog calm",
    "paper-waves": "wave paper papercut cut ocean sea surf water river beach lake tide swim dune "
    "desert layered sail yoga spa wellness flowing summer",
    "sunrise": "sunrise sunset sun landscape mountain hill peak valley forest tree pine nature "
    "morning dawn dusk horizon evening outdoor adventure hike hiking camp camping travel alps "
    "wilderness ski sky coffee autumn winter scenery",
    "orbs": "orb sphere ball bubble planet moon bokeh light glow party festival celebration "
    "birthday balloon space galaxy molecule candy sweet cosmetic beauty skincare fruit night 3d",
    "flow-field": "flow field stroke brush wind motion energy hair fur fiber grass dance dynamic "
    "sport running speed electric current swirl painterly gogh music sound ai data",
    "contours": "contour topographic topography topo map terrain canyon elevation geology island "
    "geographic trail strata layer carved cave expedition logistics",
    "isometric": "isometric city cube block building architecture skyline urban tower office "
    "construction housing estate pixel voxel technology tech blockchain server infrastructure "
    "crypto finance bank",
    "bauhaus": "bauhaus geometric geometry tile modernist modernism poster shape grid abstract "
    "mosaic pattern swiss design constructivist circle triangle art exhibition museum education "
    "school toy kid",
    "terrazzo": "terrazzo stone marble chip confetti speckle speckled granite pebble kitchen "
    "bathroom interior ceramic furniture floor sprinkle bakery icecream gelato home",
    "retro-stripes": "retro stripe seventies 70 vintage rainbow arc groovy disco vinyl record "
    "radio surfboard van nostalgic curve road highway racing band",
}
_STYLE_OF: Final[dict[str, str]] = {
    word: style for style, words in _WORDS.items() for word in words.split()
}

# Used when a brand has no palette yet; each holds a dark, a light and a strong color.
_HOUSE_PALETTES: Final[tuple[tuple[str, ...], ...]] = (
    ("#1B1F3B", "#5B4BD6", "#E05FA0", "#FFB36B", "#FFF1DC"),
    ("#0B2B33", "#12707A", "#4FC3B4", "#F4D58D", "#FBF6E9"),
    ("#2B1726", "#8E2F4F", "#E4573D", "#F6A04D", "#FDE9CF"),
    ("#10233F", "#2460A7", "#63A8E8", "#BFE0F5", "#F7D9C4"),
    ("#1E2A1F", "#3F6B4A", "#8DB580", "#E8C46A", "#F6EFDC"),
    ("#241B3A", "#6A3FA0", "#B57BEE", "#F3B6D5", "#FBEFF4"),
    ("#33211A", "#9A4F2C", "#D98B4A", "#EFC99B", "#5E7F7A"),
    ("#14213D", "#E63946", "#F4A261", "#2A9D8F", "#FAF3E3"),
)


def _number(*parts: str) -> int:
    """A 128-bit number that depends on every part; stable across processes and machines."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:16], "big")


def _style_in(text: str) -> str | None:
    """Return the style most words of `text` ask for; the first mentioned wins a tie."""
    votes: dict[str, int] = {}
    for word in re.findall(r"[a-z0-9]+", text.lower()):
        forms = (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("y"))
        style = next((_STYLE_OF[form] for form in forms if form in _STYLE_OF), None)
        if style is not None:
            votes[style] = votes.get(style, 0) + 1
    return max(votes, key=lambda style: votes[style]) if votes else None


def choose_style(prompt: str, guidelines: str, seed: int) -> str:
    """Choose the art style for a prompt; returns one of STYLES.

    Words of the prompt decide, then words of the guidelines; the seed plays no part in either.
    When nothing matches, the prompt's hash picks the first style and each next seed the next
    one, so several variants of one prompt look different.
    """
    named = next((style for style in STYLES if style in prompt.lower()), None)
    asked = named or _style_in(prompt) or _style_in(guidelines)
    return asked or STYLES[(_number("style", prompt) + seed) % len(STYLES)]


def default_palette(prompt: str) -> tuple[str, ...]:
    """Return the "#RRGGBB" colors used when a brand has none, chosen by the prompt's hash."""
    return _HOUSE_PALETTES[_number("palette", prompt) % len(_HOUSE_PALETTES)]


def paint(
    prompt: str,
    *,
    seed: int,
    width: int,
    height: int,
    palette: Sequence[str],
    guidelines: str = "",
    style: str | None = None,
) -> Image.Image:
    """Paint a picture: RGB, `width` x `height` pixels, in the palette's colors.

    `palette` holds "#RRGGBB" strings; empty means a house palette chosen by the prompt. `style`
    is one of STYLES and overrides the choice made from the words. Same arguments, same pixels.
    ValueError for a malformed color, an unknown style or a side outside
    SMALLEST_SIDE..LARGEST_SIDE.
    """
    if not (SMALLEST_SIDE <= width <= LARGEST_SIDE and SMALLEST_SIDE <= height <= LARGEST_SIDE):
        raise ValueError(f"a side is {SMALLEST_SIDE} to {LARGEST_SIDE} pixels")
    style = choose_style(prompt, guidelines, seed) if style is None else style
    painter = PAINTERS.get(style)
    if painter is None:
        raise ValueError("unknown style")
    scene = Scene(
        width=width,
        height=height,
        palette=Palette(palette or default_palette(prompt)),
        random=np.random.Generator(np.random.PCG64(_number("paint", prompt, str(seed)))),
    )
    return painter(scene)
