"""Encoders: pictures to bytes, with no metadata in them.

PNG goes through ISA-L with one fixed row filter. Pillow's own writer tries five filters per row
and costs fifteen times as much. Its files are 7 to 30 percent smaller, which decides whether some
images fit a response, so it is used where it can decide that.
"""

import io
import struct
from typing import Final, Literal

from isal import isal_zlib
from PIL import AvifImagePlugin, Image, ImageChops, ImageOps, WebPImagePlugin

type OutputFormat = Literal["png", "jpeg", "webp", "avif"]

CONTENT_TYPES: Final[dict[OutputFormat, str]] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
}

# Where brand colors and small type stay clean.
DEFAULT_QUALITY: Final[dict[OutputFormat, int]] = {"jpeg": 90, "webp": 85, "avif": 75}

# Importing the plugins by name spares the first save a scan that imports every one Pillow has.
_ = WebPImagePlugin, AvifImagePlugin

_COLOR_TYPES: Final = {"L": 0, "RGB": 2, "RGBA": 6}
_UP_FILTER: Final = 2
# Trying harder saves a third at most, and images of one job share their room: see
# docs/decisions/0030-answers-of-any-size.md.
_WORTH_TRYING: Final = 2


def cover(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture scaled and cut to exactly that size, its middle kept."""
    if picture.size == (width, height):
        return picture
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def encode(
    image: Image.Image,
    output_format: OutputFormat,
    quality: int | None = None,
    *,
    room: int | None = None,
) -> bytes:
    """Encode a picture.

    PNG keeps L, RGB and RGBA pixels exactly (other modes become RGBA) and knows no quality. JPEG,
    WebP and AVIF are lossy; `quality` is 0 to 100 on each one's own scale, by default
    DEFAULT_QUALITY. JPEG drops transparency onto white. Nothing but pixels is written: no EXIF, no
    color profile, no text. The same pixels give the same bytes. A PNG that is up to
    twice as large as `room` bytes is compressed harder. ValueError for an unknown format or a
    quality out of range.
    """
    if output_format not in CONTENT_TYPES:
        raise ValueError("the output format is png, jpeg, webp or avif")
    if quality is not None and not 0 <= quality <= 100:
        raise ValueError("quality is 0 to 100")
    if output_format == "png":
        data = _png(image)
        if room is None or not room < len(data) <= room * _WORTH_TRYING:
            return data
        return min(data, _small_png(image), key=len)
    level = DEFAULT_QUALITY[output_format] if quality is None else quality
    buffer = io.BytesIO()
    if output_format == "jpeg":
        # 4:4:4: halving the chroma would smear colored type and logo edges.
        _opaque(image).save(buffer, "JPEG", quality=level, subsampling=0)
    elif output_format == "webp":
        _plain(image).save(buffer, "WEBP", quality=level, method=1)
    else:
        # Speeds above 8 make files larger than WebP's. One thread: the bytes depend on their count.
        _plain(image).save(
            buffer, "AVIF", quality=level, speed=8, subsampling="4:4:4", max_threads=1
        )
    return buffer.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    return _bare(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _bare(image: Image.Image) -> Image.Image:
    """Return the picture without the metadata Pillow would carry into a save."""
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    return bare


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return _bare(image.convert("RGB"))
    layered = image.convert("RGBA")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(layered, mask=layered.getchannel("A"))
    return ground


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = isal_zlib.crc32(body, isal_zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def _png(image: Image.Image) -> bytes:
    if image.mode not in _COLOR_TYPES:
        image = image.convert("RGBA")
    width, height = image.size
    stride = width * len(image.getbands())
    # Seen as one gray row per line of bytes, the Up filter is a subtraction of the picture from
    # itself moved down one row: Pillow does it in C, without numpy.
    rows = Image.frombuffer("L", (stride, height), image.tobytes(), "raw", "L", 0, 1)
    above = Image.new("L", (stride, height), 0)
    above.paste(rows, (0, 1))
    filtered = Image.new("L", (stride + 1, height), _UP_FILTER)
    filtered.paste(ImageChops.subtract_modulo(rows, above), (1, 0))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[image.mode], 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", isal_zlib.compress(filtered.tobytes(), 1)),
            _chunk(b"IEND", b""),
        )
    )


def _small_png(image: Image.Image) -> bytes:
    from PIL import PngImagePlugin

    _ = PngImagePlugin  # imported by name, as above
    buffer = io.BytesIO()
    _bare(image if image.mode in _COLOR_TYPES else image.convert("RGBA")).save(
        buffer, "PNG", compress_level=6
    )
    return buffer.getvalue()
