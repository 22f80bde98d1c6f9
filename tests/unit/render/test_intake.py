"""A foreign picture is decoded within limits: of counts before, of time and memory then."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageCms

from imagelayer.platform import picture_bounds
from imagelayer.platform.picture_bounds import MAX_SCANS, TooMuchWork, check_work
from imagelayer.render import isolation
from imagelayer.render.intake import UnusableImage, fitted, sanitize
from tests.support.images import SCAN, scans

HOSTILE = "tests.support.hostile_decoder"


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


PICTURE = Image.linear_gradient("L").resize((96, 64)).convert("RGB")
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def segments(count: int) -> bytes:
    whole = saved(PICTURE, "JPEG")
    return whole[:2] + b"\xff\xfe\x00\x02" * count + whole[2:]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def chunks(kind: bytes, count: int) -> bytes:
    whole = saved(PICTURE, "PNG")
    return whole[:33] + chunk(kind) * count + whole[33:]


def webp(kind: bytes, size: int, count: int = 1) -> bytes:
    whole = saved(PICTURE, "WEBP")
    return whole + (kind + struct.pack("<I", size) + bytes(size)) * count


BOMBS: dict[str, Callable[[], bytes]] = {
    "scans": lambda: scans(16_000),
    "one scan too many": lambda: scans(MAX_SCANS + 1),
    "jpeg comments": lambda: segments(1_000_000),
    "png texts": lambda: chunks(b"tEXt", 5_000),
    "png pixels in crumbs": lambda: chunks(b"IDAT", 100_000),
    "webp chunks": lambda: webp(b"XMP ", 0, 5_000),
    "webp profile": lambda: webp(b"ICCP", 5_000_000),
    "jpeg profile": lambda: (
        saved(PICTURE, "JPEG")[:2]
        + b"".join([b"\xff\xe2" + struct.pack(">H", 65_535) + bytes(65_533)] * 70)
        + saved(PICTURE, "JPEG")[2:]
    ),
}


@pytest.mark.parametrize("build", BOMBS.values(), ids=BOMBS.keys())
def test_what_would_be_work_out_of_proportion_never_reaches_the_decoder(
    monkeypatch: pytest.MonkeyPatch, build: Callable[[], bytes]
) -> None:
    def decoded_anyway(*_: object) -> None:
        raise AssertionError("it was decoded")

    data = build()
    assert len(data) < 5 * 1024 * 1024
    monkeypatch.setattr(isolation, "run", decoded_anyway)
    for read in (sanitize, lambda given: fitted(given, 96, 64)):
        with pytest.raises(UnusableImage) as refusal:
            read(data)
        assert refusal.value.reason == "too_complex"


def test_16_000_scans_in_seven_tenths_of_a_megabyte_are_one_of_them() -> None:
    data = scans(16_000)
    assert 600_000 < len(data) < 900_000
    assert len(SCAN.findall(data)) == 16_000


@pytest.mark.parametrize(
    "data",
    [
        saved(PICTURE, "JPEG", progressive=True),
        saved(PICTURE.convert("CMYK"), "JPEG", progressive=True),
        saved(PICTURE.resize((960, 640)), "JPEG", restart_marker_blocks=1),
        saved(PICTURE, "JPEG", exif=b"Exif\0\0" + b"\xff\xda" * 500),  # as in a thumbnail
        saved(PICTURE, "JPEG", icc_profile=PROFILE),
        saved(PICTURE, "JPEG", comment=b"\xff\xd9"),
        saved(Image.effect_noise((900, 900), 90), "PNG", icc_profile=PROFILE),
        saved(PICTURE, "WEBP", icc_profile=PROFILE),
        scans(MAX_SCANS),
        b"",
        b"GIF89a",
    ],
)
def test_what_encoders_make_is_let_through(data: bytes) -> None:
    check_work(data)


@pytest.mark.parametrize("progressive", [True, False])
def test_scans_are_counted_as_the_decoder_goes_through_them(progressive: bool) -> None:
    data = saved(PICTURE, "JPEG", progressive=progressive)
    found = [marker for marker, _ in picture_bounds._segments(data)]
    assert found.count(0xDA) == len(SCAN.findall(data)) == (10 if progressive else 1)


@pytest.mark.parametrize(
    "disguise",
    [
        lambda data: data.replace(b"\xff\xda", b"\xff\xff\xff\xda"),  # filled, B.1.1.2
        lambda data: data.replace(b"\xff\xda", b"\x00\x17\xff\xda"),  # after garbage
        lambda data: data.replace(b"\xff\xda", b"\xff\xd0\xff\xda"),  # after a restart
        lambda data: data.replace(b"\xff\xda", b"\xff\xfe\x00\x02\xff\xda", 500),
    ],
)
def test_scans_are_found_behind_what_a_decoder_skips(disguise: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TooMuchWork):
        check_work(disguise(scans(400)))


def test_the_count_takes_one_pass_over_bytes_that_look_like_markers() -> None:
    for filling in (b"\xff", b"\xff\x00", b"\xff\xd0", b"\x00"):
        body = filling * (4_000_000 // len(filling))
        check_work(saved(PICTURE, "JPEG")[:-2] + body)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_comes_back_from_the_process_that_decodes_it(kind: str) -> None:
    data = saved(PICTURE, kind, icc_profile=PROFILE)
    clean = sanitize(data)
    assert (clean.width, clean.height, clean.has_alpha) == (96, 64, False)
    read = Image.open(io.BytesIO(clean.data), formats=("PNG",))
    assert (read.mode, read.size, read.info) == ("RGBA", (96, 64), {})
    cut = fitted(data, 40, 40)
    assert (cut.mode, cut.size) == ("RGB", (40, 40))


def test_a_refusal_comes_back_with_its_reason() -> None:
    for data, reason in ((b"", "empty"), (b"hello", "not_an_image")):
        with pytest.raises(UnusableImage) as refusal:
            sanitize(data)
        assert refusal.value.reason == reason


def test_the_largest_picture_fits_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "WALL_SECONDS", 600.0)  # its work counts, not a busy machine
    large = Image.linear_gradient("L").resize((5000, 5000)).convert("RGBA")
    data = saved(large, "PNG", icc_profile=PROFILE, compress_level=1)
    assert sanitize(data).width == 2048


@pytest.mark.parametrize("what", ["spin", "swell", "die", "chat"])
def test_a_decoder_that_exceeds_its_limits_or_dies_is_ended_and_its_picture_refused(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    run = isolation.run
    monkeypatch.setattr(isolation, "CPU_SECONDS", 1)
    monkeypatch.setattr(isolation, "run", lambda *_: run(what, b"", module=HOSTILE))
    with pytest.raises(UnusableImage) as refusal:
        sanitize(saved(PICTURE, "PNG"))
    assert refusal.value.reason == "too_complex"


def test_a_decoder_that_waits_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "WALL_SECONDS", 0.2)
    with pytest.raises(isolation.Exceeded):
        isolation.run("spin", b"", module=HOSTILE)


def test_the_decoder_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PROVIDER_SECRET_ID"):
        monkeypatch.setenv(name, "secret")
    seen = isolation.run("look", b"", module=HOSTILE).about["environment"]
    assert set(seen) <= {"PYTHONPATH", "LD_LIBRARY_PATH", "LC_CTYPE"}
    assert "secret" not in str(seen)
    assert os.environ["AWS_SESSION_TOKEN"] == "secret"
