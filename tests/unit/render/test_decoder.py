"""Nothing of an upload but its pixels survives intake; what cannot be trusted is refused."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from imagelayer.render import decoder
from imagelayer.render.decoder import cleaned
from imagelayer.render.intake import UnusableImage


def saved(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 24)) -> Image.Image:
    pixels = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("PNG",))
    image.load()
    return image


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_declaring(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 4000))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")


def webp_declaring(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0"
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + b"\0" * 16
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def animation(file_format: str) -> bytes:
    frames = [Image.new("RGB", (20, 20), (40 * n, 0, 0)) for n in range(3)]
    return saved(frames[0], file_format, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_png_pixels_come_through_unchanged(mode: str) -> None:
    given = picture(mode)
    clean = cleaned(saved(given))
    result = decoded(clean.data)
    assert (result.mode, result.size) == ("RGBA", (40, 24))
    assert (clean.width, clean.height) == (40, 24)
    assert result.tobytes() == given.convert("RGBA").tobytes()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_each_allowed_format_is_read(file_format: str) -> None:
    clean = cleaned(saved(picture(), file_format))
    assert (clean.width, clean.height, clean.has_alpha) == (40, 24, False)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_no_metadata_survives(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    exif.get_ifd(0x8825)[0x001D] = "SECRET gps"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": profile}
    if file_format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "SECRET text")
        text.add_itxt("XML:com.adobe.xmp", "<SECRET/>")
        options["pnginfo"] = text
    elif file_format == "JPEG":
        options["comment"] = b"SECRET comment"
    else:
        options["xmp"] = b"<SECRET/>"
    dirty = saved(picture(), file_format, **options)
    assert b"SECRET" in dirty
    clean = cleaned(dirty).data
    assert b"SECRET" not in clean
    assert b"iCCP" not in clean
    assert not decoded(clean).getexif()
    assert not decoded(clean).info


def test_a_rotated_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    clean = cleaned(saved(picture(size=(40, 24)), "JPEG", exif=exif.tobytes()))
    assert (clean.width, clean.height) == (24, 40)


def test_a_color_profile_is_applied_before_it_is_dropped() -> None:
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, green = lab_like.find(b"rXYZ"), lab_like.find(b"gXYZ")
    # The same profile with red and green exchanged: applied, it exchanges the colors.
    swapped = bytearray(lab_like)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    clean = cleaned(saved(Image.new("RGB", (4, 4), (255, 0, 0)), icc_profile=bytes(swapped)))
    red_out, green_out, *_ = decoded(clean.data).getpixel((0, 0))  # type: ignore[misc]
    assert green_out > 200
    assert red_out < 60


def test_a_broken_color_profile_is_ignored() -> None:
    given = picture()
    clean = cleaned(saved(given, icc_profile=b"not a profile" * 20))
    assert decoded(clean.data).tobytes() == given.convert("RGBA").tobytes()


def test_cmyk_jpeg_is_read() -> None:
    assert cleaned(saved(picture().convert("CMYK"), "JPEG")).width == 40


def test_sixteen_bit_gray_keeps_its_tones() -> None:
    pixels = np.array([[0, 32896, 65535]], dtype=np.uint16)
    clean = cleaned(saved(Image.fromarray(pixels)))
    tones = [decoded(clean.data).getpixel((column, 0)) for column in range(3)]
    assert [tone[0] for tone in tones] == [0, 128, 255]  # type: ignore[index]


def test_transparency_is_reported() -> None:
    assert cleaned(saved(picture("RGBA"))).has_alpha
    keyed = saved(Image.new("P", (8, 8), 0), transparency=1)
    assert not cleaned(keyed).has_alpha


@pytest.mark.parametrize(
    ("size", "expected"),
    [((2048, 100), (2048, 100)), ((4096, 100), (2048, 50)), ((300, 3000), (205, 2048))],
)
def test_only_what_is_too_large_is_made_smaller(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    clean = cleaned(saved(Image.new("RGB", size, "red")))
    assert (clean.width, clean.height) == expected


def test_nothing_is_trimmed() -> None:
    image = Image.new("RGBA", (100, 80), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (40, 40, 50, 50))
    clean = cleaned(saved(image))
    assert (clean.width, clean.height, clean.has_alpha) == (100, 80, True)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_what_is_appended_to_a_picture_is_left_behind(file_format: str) -> None:
    payload = b"<html><script>alert(1)</script></html>"
    clean = cleaned(saved(picture(), file_format) + payload)
    assert b"<script>" not in clean.data
    assert clean.data.endswith(b"IEND\xaeB`\x82")


UNUSABLE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no bytes": ("empty", lambda: b""),
    "nothing visible": ("empty", lambda: saved(Image.new("RGBA", (9, 9), (255, 0, 0, 0)))),
    "text": ("not_an_image", lambda: b"hello, I am a logo"),
    "html": ("not_an_image", lambda: b"<!doctype html><p>hi"),
    "zip": ("not_an_image", lambda: b"PK\x03\x04" + b"\0" * 60),
    "svg": ("unsupported_format", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "svg with prolog": ("unsupported_format", lambda: b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg/>'),
    "gif": ("unsupported_format", lambda: saved(picture(), "GIF")),
    "bmp": ("unsupported_format", lambda: saved(picture(), "BMP")),
    "tiff": ("unsupported_format", lambda: saved(picture(), "TIFF")),
    "avif": ("unsupported_format", lambda: saved(picture(), "AVIF")),
    "ico": ("unsupported_format", lambda: saved(picture(), "ICO")),
    "postscript": ("unsupported_format", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n"),
    "pdf": ("unsupported_format", lambda: b"%PDF-1.7\n"),
    "png over the cap": ("too_many_pixels", lambda: png_declaring(5001, 5000)),
    "png warning bomb": ("too_many_pixels", lambda: png_declaring(10_000, 10_000)),
    "png error bomb": ("too_many_pixels", lambda: png_declaring(60_000, 60_000)),
    "webp bomb": ("too_many_pixels", lambda: webp_declaring(16_000, 16_000)),
    "animated png": ("animated", lambda: animation("PNG")),
    "animated webp": ("animated", lambda: animation("WEBP")),
    "half a png": ("truncated", lambda: saved(picture(size=(200, 200)))[:4000]),
    "half a jpeg": ("truncated", lambda: saved(picture(size=(200, 200)), "JPEG")[:4000]),
    "half a webp": ("truncated", lambda: saved(picture(size=(200, 200)), "WEBP")[:4000]),
    "png signature": ("truncated", lambda: b"\x89PNG\r\n\x1a\n"),
    "png of too little data": ("truncated", lambda: png_declaring(400, 400)),
}


@pytest.mark.parametrize(("reason", "build"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_upload_is_refused_with_its_reason(
    reason: str, build: Callable[[], bytes]
) -> None:
    with pytest.raises(UnusableImage) as refusal:
        cleaned(build())
    assert refusal.value.reason == reason


def test_the_pixel_cap_holds_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded_anyway(self: Image.Image) -> None:
        raise AssertionError("pixels were decoded")

    data = saved(picture(size=(60, 60)))
    monkeypatch.setattr(decoder, "MAX_PIXELS", 3599)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decoded_anyway)
    with pytest.raises(UnusableImage, match="too_many_pixels"):
        cleaned(data)


@pytest.mark.parametrize("size", [(16_000, 16_000), (5001, 5000)])
def test_a_webp_bomb_never_reaches_the_decoder(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    def opened_anyway(*_: object, **__: object) -> None:
        raise AssertionError("the canvas was reserved")

    monkeypatch.setattr(Image, "open", opened_anyway)
    with pytest.raises(UnusableImage, match="too_many_pixels"):
        cleaned(webp_declaring(*size))


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_header_is_read_right(lossless: bool) -> None:
    assert decoder._webp_pixels(saved(picture(), "WEBP", lossless=lossless)) == 40 * 24
    assert decoder._webp_pixels(saved(picture("RGBA"), "WEBP", lossless=lossless)) == 40 * 24


def test_a_text_bomb_is_refused() -> None:
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"A" * 80_000_000, 9))
    data = saved(picture())
    with pytest.raises(UnusableImage):
        cleaned(data[:33] + bomb + data[33:])


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_damaged_bytes_never_escape_as_another_error(file_format: str) -> None:
    data = saved(picture(size=(64, 64)), file_format)
    random = np.random.default_rng(7)
    for _ in range(150):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), 6):
            damaged[position] = int(random.integers(0, 256))
        try:
            cleaned(bytes(damaged))
        except UnusableImage:
            continue
