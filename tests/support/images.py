"""Pictures for tests."""

from __future__ import annotations

import io
import re

from PIL import Image, ImageDraw, PngImagePlugin


def logo(size: tuple[int, int] = (160, 80), kind: str = "PNG", *, secret: str = "") -> bytes:
    """A small logo with a clear background; `secret` is hidden in its metadata."""
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((size[0] // 8, size[1] // 8, size[0] * 7 // 8, size[1] * 7 // 8), fill="#1A2B4C")
    buffer = io.BytesIO()
    if kind == "PNG":
        notes = PngImagePlugin.PngInfo()
        if secret:
            notes.add_text("Comment", secret)
        image.save(buffer, kind, pnginfo=notes)
    else:
        image.convert("RGB").save(buffer, kind)
    return buffer.getvalue()


SCAN = re.compile(rb"\xff\xda")


def scans(count: int, side: int = 5000) -> bytes:
    """A progressive JPEG of `side` pixels whose last scan comes again and again, 42 bytes each."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "JPEG", progressive=True)
    flat = buffer.getvalue()
    found = [each.start() for each in SCAN.finditer(flat)]
    return flat[:-2] + flat[found[-1] : -2] * (count - len(found)) + flat[-2:]


def opened(data: bytes) -> Image.Image:
    """The decoded picture."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
