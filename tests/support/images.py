"""Pictures for tests."""

from __future__ import annotations

import io

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


def opened(data: bytes) -> Image.Image:
    """The decoded picture."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
