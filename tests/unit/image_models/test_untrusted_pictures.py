"""A provider's bytes are held to what a picture may be before they are decoded."""

from __future__ import annotations

import base64
import io
import json

import pytest
import urllib3
from PIL import Image

from imagelayer.image_models import pictures
from imagelayer.image_models.calls import MAX_ANSWER_BYTES, ProviderResponse
from imagelayer.image_models.image_model import GenerationRefused
from imagelayer.image_models.pictures import MAX_BYTES, from_base64, from_bytes, source_png
from tests.support.provider_stubs import ProviderStubs, order


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


PICTURE = Image.linear_gradient("L").resize((96, 64)).convert("RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_each_format_that_providers_make_is_read(kind: str) -> None:
    read = from_base64(base64.b64encode(saved(PICTURE, kind)).decode(), 96, 64)
    assert (read.mode, read.size) == ("RGB", (96, 64))


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_no_other_format_is(kind: str) -> None:
    with pytest.raises(GenerationRefused, match="provider_bad_image"):
        from_bytes(saved(PICTURE, kind), 96, 64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>moderated</html>",
        saved(PICTURE, "PNG")[:-40],
        saved(PICTURE, "JPEG")[:300],
        saved(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(90).resize((96, 64))]),
    ],
    ids=["empty", "header", "svg", "html", "half a png", "half a jpeg", "animated"],
)
def test_what_is_not_a_whole_still_picture_is_refused(data: bytes) -> None:
    with pytest.raises(GenerationRefused, match="provider_bad_image"):
        from_bytes(data, 96, 64)


@pytest.mark.parametrize(
    "text", [None, 7, "", "?", "a", ["aGk="], {"b64": "aGk="}, "data:image/png;base64,aGk="]
)
def test_what_is_not_base64_is_refused(text: object) -> None:
    with pytest.raises(GenerationRefused, match="provider_bad_image"):
        from_base64(text, 96, 64)


def test_bytes_beyond_the_cap_are_not_even_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    monkeypatch.setattr(pictures, "fitted", lambda data, *_: decoded.append(data))
    with pytest.raises(GenerationRefused, match="provider_bad_image"):
        from_bytes(b"x" * (MAX_BYTES + 1), 96, 64)
    with pytest.raises(GenerationRefused, match="provider_bad_image"):
        from_base64("A" * (MAX_BYTES * 4 // 3 + 5), 96, 64)
    assert decoded == []


def test_the_cap_on_an_answer_leaves_room_for_the_largest_picture() -> None:
    assert MAX_BYTES * 4 / 3 < MAX_ANSWER_BYTES < MAX_BYTES * 4 / 3 + 2 * 1024 * 1024


def test_transparency_lies_over_white_and_metadata_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = "made by somebody"
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    read = from_bytes(saved(clear, "PNG", exif=exif), 64, 64)
    assert read.getextrema() == ((255, 255),) * 3
    assert read.info == {}
    assert not read.getexif()


def test_a_picture_to_start_from_is_turned_upright_and_stripped() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held sideways
    exif[0x010E] = "home address"
    clean = source_png(saved(PICTURE, "JPEG", exif=exif))
    assert b"home address" not in clean
    assert Image.open(io.BytesIO(clean)).size == (64, 96)


def test_an_answer_that_is_no_json_object_has_no_members() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe", deep, json.dumps([1]).encode()):
        assert ProviderResponse(200, {}, body).json() == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1/picture.png",
        "file:///etc/passwd",
        "//elsewhere.example/picture.png",
        "/picture.png",
        "http://[::1",
        "",
        None,
        {"href": "http://127.0.0.1"},
    ],
)
def test_no_address_but_the_servers_own_is_fetched(providers: ProviderStubs, url: object) -> None:
    fetched: list[object] = []

    class Pool(urllib3.PoolManager):
        def request(self, method: str, url: str, **options: object) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
            fetched.append(url)
            raise AssertionError(url)

    openai = providers.adapter("openai", http=Pool())
    answer = ProviderResponse(200, {}, json.dumps({"data": [{"url": url}]}).encode())
    with pytest.raises(GenerationRefused, match="provider_bad_image"):
        openai._picture(answer, order("gpt-image-2"))  # type: ignore[attr-defined]
    assert fetched == []


def test_no_redirect_is_followed_and_the_key_stays(providers: ProviderStubs) -> None:
    """The stand-in redirects to itself, so a client that followed would get a picture."""
    providers.fail("redirect", times=1)
    with pytest.raises(GenerationRefused, match="provider_bad_image"):
        providers.adapter("openai").generate(order("gpt-image-2"))
    assert len(providers.calls) == 1
    followed = urllib3.PoolManager().request(
        "POST",
        f"{providers.origin}/_local/openai/v1/images/generations",
        headers={"Authorization": "Bearer sk-local-openai", "Content-Type": "application/json"},
        json={"model": "gpt-image-2", "prompt": "the control follows"},
    )
    assert followed.status == 200
