"""Draw the demo brand's logos: Solstice, a coffee roaster that does not exist.

Writes dev/assets/demo-logo.png (for pale backgrounds) and demo-logo-dark.png (for dark ones):
RGBA, 224 x 64. Run: python dev/draw_demo_logo.py
"""

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ASSETS = Path(__file__).parent / "assets"
SIZE = (224, 64)
SCALE = 8


def draw(ink: str, sun: str) -> Image.Image:
    """Draw the logo with the wordmark in `ink` and the mark in `sun`."""
    mark = Image.new("L", (SIZE[0] * SCALE, SIZE[1] * SCALE), 0)
    pen = ImageDraw.Draw(mark)
    center_x, center_y, radius = 32 * SCALE, 36 * SCALE, 14.5 * SCALE

    # Half a sun above the rim of a cup: rays over the horizon, two ripples under it.
    pen.pieslice(
        (center_x - radius, center_y - radius, center_x + radius, center_y + radius),
        180,
        360,
        fill=255,
    )
    for ray in range(7):
        angle = math.pi * (1 + (ray + 0.5) / 7)
        start, end = 19.0 * SCALE, (27.5 if ray % 2 else 25.0) * SCALE
        ends = [
            (center_x + math.cos(angle) * reach, center_y + math.sin(angle) * reach)
            for reach in (start, end)
        ]
        pen.line(ends, fill=255, width=round(3.4 * SCALE))
        for x, y in ends:
            cap = 1.7 * SCALE
            pen.ellipse((x - cap, y - cap, x + cap, y + cap), fill=255)
    for number, half_width in enumerate((27.0, 18.5, 9.5)):
        top = center_y + (4.0 + number * 7.2) * SCALE
        pen.rounded_rectangle(
            (
                center_x - half_width * SCALE,
                top,
                center_x + half_width * SCALE,
                top + 3.4 * SCALE,
            ),
            radius=1.7 * SCALE,
            fill=255,
        )

    word = Image.new("L", mark.size, 0)
    font = ImageFont.load_default(35 * SCALE)
    text = ImageDraw.Draw(word)
    x, baseline = 72.0 * SCALE, 44.5 * SCALE
    for letter in "Solstice":
        text.text((x, baseline), letter, font=font, fill=255, anchor="ls", stroke_width=SCALE // 3)
        x += font.getlength(letter) + 0.35 * SCALE

    logo = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    for mask, color in ((mark, sun), (word, ink)):
        layer = Image.new("RGBA", SIZE, color)
        layer.putalpha(mask.reduce(SCALE))
        logo.alpha_composite(layer)
    return logo


def main() -> None:
    """Write both logos."""
    ASSETS.mkdir(parents=True, exist_ok=True)
    draw(ink="#2A1712", sun="#C4471B").save(ASSETS / "demo-logo.png", optimize=True)
    draw(ink="#FFF6EA", sun="#FFA94D").save(ASSETS / "demo-logo-dark.png", optimize=True)


if __name__ == "__main__":
    main()
