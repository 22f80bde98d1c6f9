"""Decodes one foreign picture, in a process of its own: `python -m`, see `render.isolation`.

Reads the picture from its input. Writes a line of JSON about the result, and the result's bytes.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
from collections.abc import Callable
from typing import Any, Final

from PIL import Image, ImageCms, ImageOps

from imagelayer.render.encode import cover, encode
from imagelayer.render.intake import CleanImage, Reason, UnusableImage

MAX_PIXELS: Final = 25_000_000
LONGEST_SIDE: Final = 2048
_FORMATS: Final = ("PNG", "JPEG", "WEBP")

# How other pictures begin: telling "wrong format" from "no picture" helps the uploader.
_OTHER_FORMATS: Final = (
    b"GIF8",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"%PDF",
    b"%!PS",
    b"8BPS",
    b"\x00\x00\x01\x00",
    b"\x00\x00\x00\x0cjP  ",
    b"\xff\x0a",
    b"qoif",
)

type Result = tuple[dict[str, Any], bytes]
type Operation = Callable[..., Result]


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Limit this process: its time, its memory, and that it writes no file and leaves no core."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(arguments: list[str], operations: dict[str, Operation]) -> None:
    """Do what the arguments say: two limits, an operation and its numbers."""
    cpu_seconds, memory_bytes, operation, *numbers = arguments
    limit(int(cpu_seconds), int(memory_bytes))
    about, data = operations[operation](sys.stdin.buffer.read(), *map(int, numbers))
    sys.stdout.buffer.write(json.dumps(about).encode() + b"\n" + data)


def clean(data: bytes) -> Result:
    """The picture as a PNG of its own, and what it is."""
    try:
        made = cleaned(data)
    except UnusableImage as unusable:
        return {"reason": unusable.reason}, b""
    about = {"width": made.width, "height": made.height, "has_alpha": made.has_alpha}
    return about, made.data


def fit(data: bytes, width: int, height: int) -> Result:
    """The picture over white, scaled and cut to a size, as RGB bytes."""
    try:
        return {}, covering(data, width, height).tobytes()
    except UnusableImage as unusable:
        return {"reason": unusable.reason}, b""


def covering(data: bytes, width: int, height: int) -> Image.Image:
    """A picture over white, scaled until it covers the size and cut evenly. Raises
    UnusableImage."""
    picture = decode(data)
    ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return cover(Image.alpha_composite(ground, picture).convert("RGB"), width, height)


def cleaned(data: bytes) -> CleanImage:
    """See `intake.sanitize`. Raises UnusableImage."""
    image = decode(data)
    if max(image.size) > LONGEST_SIDE:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    lowest, highest = _alpha_range(image)
    if highest == 0:
        raise UnusableImage("empty")
    return CleanImage(
        data=encode(image, "png"),
        width=image.width,
        height=image.height,
        has_alpha=lowest < 255,
    )


def decode(data: bytes) -> Image.Image:
    """The picture of an untrusted PNG, JPEG or WebP: upright, in sRGB, RGBA, sharing nothing with
    what was sent. Raises UnusableImage."""
    if not data:
        raise UnusableImage("empty")
    declared = _webp_pixels(data)
    if declared is not None and declared > MAX_PIXELS:
        raise UnusableImage("too_many_pixels")
    return _in_srgb(_upright(_decoded(data)))


def _decoded(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError):
        raise UnusableImage("too_many_pixels") from None
    except ValueError:
        raise UnusableImage("not_an_image") from None
    # A parser fed hostile bytes may raise anything; whatever it is, the upload is at fault.
    except Exception:
        raise UnusableImage(_why_unidentified(data)) from None
    if image.width * image.height > MAX_PIXELS:
        raise UnusableImage("too_many_pixels")
    # Phones append depth or gain maps to a JPEG as further frames (MPO); those are not animations.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise UnusableImage("animated")
    try:
        image.load()
    except MemoryError:
        raise UnusableImage("too_many_pixels") from None
    except ValueError:
        raise UnusableImage("not_an_image") from None
    except Exception:
        raise UnusableImage("truncated") from None
    return image


def _why_unidentified(data: bytes) -> Reason:
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in data[:4096].lower() and start.startswith(b"<"):
        return "unsupported_format"
    if data.startswith(_OTHER_FORMATS) or data[4:12] in (b"ftypavif", b"ftypheic", b"ftypmif1"):
        return "unsupported_format"
    known = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
    if data.startswith(known) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        return "truncated"
    return "not_an_image"


def _webp_pixels(data: bytes) -> int | None:
    """Pixels a WebP header declares; None when it is not WebP or too short to say.

    Pillow's WebP decoder reserves the whole canvas while opening, before any size can be read
    from it, so this one is read by hand (RFC 9649).
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    elif kind == b"VP8 ":
        width = int.from_bytes(data[26:28], "little") & 0x3FFF
        height = int.from_bytes(data[28:30], "little") & 0x3FFF
    else:
        return None
    return width * height


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    # The pixels are good even where the EXIF block is not.
    except Exception:
        return image


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return the picture as RGBA in sRGB, in an image that shares nothing with the upload."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        # 16-bit gray: Pillow would clip at 255 instead of scaling.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    alpha: Image.Image | None = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    colors = _profiled(image, profile) if isinstance(profile, bytes) else image
    fresh = Image.new("RGBA", image.size, (0, 0, 0, 255))
    fresh.paste(colors.convert("RGB"))
    if alpha is not None:
        fresh.putalpha(alpha)
    return fresh


def _profiled(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    # A profile that cannot be read, or is for another kind of picture, is as good as none.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return image if converted is None else converted


def _alpha_range(image: Image.Image) -> tuple[int, int]:
    lowest, highest = image.getchannel("A").getextrema()
    return int(str(lowest)), int(str(highest))


if __name__ == "__main__":
    serve(sys.argv[1:], {"clean": clean, "fit": fit})
