"""Encoders write the format they name, exactly where that is promised, and no metadata."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from imagelayer.render.encode import CONTENT_TYPES, DEFAULT_QUALITY, OutputFormat, encode

FORMATS: tuple[OutputFormat, ...] = ("png", "jpeg", "webp", "avif")


def noise(mode: str, size: tuple[int, int] = (67, 41)) -> Image.Image:
    bands = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    random = np.random.default_rng(4)
    return Image.fromarray(random.integers(0, 256, (size[1], size[0], *bands), dtype=np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (67, 41), (300, 2)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_png_gives_back_every_pixel(mode: str, size: tuple[int, int]) -> None:
    image = noise(mode, size)
    decoded = Image.open(io.BytesIO(encode(image, "png")))
    assert (decoded.mode, decoded.size) == (mode, size)
    assert decoded.tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_png_that_is_somewhat_too_large_is_made_smaller_without_losing_a_pixel(mode: str) -> None:
    image = Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 60).convert(mode)
    usual = encode(image, "png")
    small = encode(image, "png", room=len(usual) - 1)
    assert len(small) < len(usual)
    decoded = Image.open(io.BytesIO(small))
    assert (decoded.mode, decoded.tobytes()) == (mode, image.tobytes())
    assert small == encode(image, "png", room=len(usual) - 1)


def test_a_png_that_fits_or_is_far_too_large_is_not_compressed_twice() -> None:
    image = Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 60)
    usual = encode(image, "png")
    assert encode(image, "png", room=len(usual)) == usual
    assert encode(image, "png", room=len(usual) // 3) == usual


def test_one_that_would_not_get_smaller_stays_as_it_is() -> None:
    usual = encode(noise("RGB"), "png")
    assert len(encode(noise("RGB"), "png", room=len(usual) - 1)) <= len(usual)


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_is_what_its_content_type_says(output_format: OutputFormat) -> None:
    decoded = Image.open(io.BytesIO(encode(noise("RGB"), output_format)))
    assert Image.MIME[decoded.format or ""] == CONTENT_TYPES[output_format]


@pytest.mark.parametrize("output_format", FORMATS)
def test_no_metadata_is_written(output_format: OutputFormat) -> None:
    image = noise("RGB")
    exif = Image.Exif()
    exif[0x010E] = "SECRET"
    image.info.update(
        exif=exif.tobytes(), icc_profile=b"SECRET" * 40, comment=b"SECRET", xmp=b"SECRET"
    )
    image.text = PngImagePlugin.PngInfo()  # type: ignore[attr-defined]
    data = encode(image, output_format)
    decoded = Image.open(io.BytesIO(data))
    decoded.load()
    assert b"SECRET" not in data
    assert not decoded.getexif()
    assert not {"icc_profile", "exif", "xmp", "comment"} & set(decoded.info)


def test_jpeg_lays_transparency_on_white() -> None:
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    assert Image.open(io.BytesIO(encode(clear, "jpeg"))).getpixel((8, 8)) == (255, 255, 255)


def test_jpeg_keeps_full_color_resolution() -> None:
    decoded = Image.open(io.BytesIO(encode(noise("RGB"), "jpeg")))
    assert {layer[1:3] for layer in decoded.layer} == {(1, 1)}  # type: ignore[attr-defined]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format"):
        encode(noise("RGB"), "gif")  # type: ignore[arg-type]


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "avif"])
def test_quality_decides_how_large_the_file_is(output_format: OutputFormat) -> None:
    image = noise("RGB")
    sizes = [len(encode(image, output_format, quality)) for quality in (0, 40, 80, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 2
    by_default = encode(image, output_format)
    assert encode(image, output_format, DEFAULT_QUALITY[output_format]) == by_default


def test_png_knows_no_quality() -> None:
    assert encode(noise("RGB"), "png", 1) == encode(noise("RGB"), "png")


@pytest.mark.parametrize("quality", [-1, 101])
def test_a_quality_out_of_range_is_refused(quality: int) -> None:
    with pytest.raises(ValueError, match="quality"):
        encode(noise("RGB"), "jpeg", quality)


@pytest.mark.parametrize("output_format", ["webp", "avif"])
def test_transparency_is_kept_where_the_format_has_it(output_format: OutputFormat) -> None:
    clear = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    decoded = Image.open(io.BytesIO(encode(clear, output_format))).convert("RGBA")
    assert decoded.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("output_format", FORMATS)
def test_the_same_pixels_are_the_same_bytes(output_format: OutputFormat) -> None:
    assert encode(noise("RGB", (300, 200)), output_format) == encode(
        noise("RGB", (300, 200)), output_format
    )
