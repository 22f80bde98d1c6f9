"""Paint the README's pictures: docs/images/gallery.jpg and docs/images/hero.jpg.

Run with the render layer's packages: PYTHONPATH=layers/common python dev/gallery.py
"""

import io
from pathlib import Path

from PIL import Image

from imagelayer.render import compositor, studio

ROOT = Path(__file__).parent.parent
SOLSTICE = ("#2A1712", "#C4471B", "#F08A3C", "#F7C67F", "#FFF3E0")
PALETTES = (
    SOLSTICE,
    ("#0A2540", "#1F6FEB", "#7FD1E0", "#EAF6FA"),
    ("#160F29", "#5B2A86", "#E0559B", "#FFB88A"),
    ("#14213D", "#E63946", "#F4A261", "#2A9D8F", "#E9C46A", "#FAF3E3"),
    ("#FDF6F0", "#F8E1D9", "#DDEBF0", "#CFE3D4"),
)
SIDE, GAP = 250, 8
HERO_SEED = 13


def jpeg(image: Image.Image, limit: int) -> bytes:
    """Encode at the best quality that stays under `limit` bytes."""
    for quality in range(92, 40, -3):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True, subsampling=0)
        if buffer.tell() <= limit:
            return buffer.getvalue()
    raise SystemExit("the picture does not fit its size limit")


def gallery() -> Image.Image:
    """Every style on two of the palettes."""
    width = len(studio.STYLES) // 2 * (SIDE + GAP) + GAP
    height = 4 * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", (width, height), "white")
    half = len(studio.STYLES) // 2
    for number, style in enumerate(studio.STYLES):
        for pick in range(2):
            row = (number // half) * 2 + pick
            palette = PALETTES[(number + pick * 3) % len(PALETTES)]
            picture = studio.paint(
                f"gallery {style}", seed=4, width=1024, height=1024, palette=palette, style=style
            )
            small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (GAP + number % half * (SIDE + GAP), GAP + row * (SIDE + GAP)))
    return sheet


def hero() -> Image.Image:
    """One branded Open Graph picture."""
    logos = {
        "logo": Image.open(ROOT / "dev/assets/demo-logo.png"),
        "logo_dark": Image.open(ROOT / "dev/assets/demo-logo-dark.png"),
    }
    picture = studio.paint(
        "First light over the coffee hills",
        seed=HERO_SEED,
        width=1200,
        height=630,
        palette=SOLSTICE,
        style="sunrise",
    )
    return compositor.compose(picture, palette=SOLSTICE, logos=logos).image


def main() -> None:
    """Write both pictures."""
    folder = ROOT / "docs/images"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gallery.jpg").write_bytes(jpeg(gallery(), 600_000))
    (folder / "hero.jpg").write_bytes(jpeg(hero(), 250_000))


if __name__ == "__main__":
    main()
