"""A file that is no usable image is rejected with a reason and leaves nothing to use."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from tests.support import aws
from tests.support.api import Account
from tests.support.images import logo, scans
from tests.support.product import Product


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


FRAMES = [Image.new("RGB", (32, 32), color) for color in ("red", "blue")]
BAD = {
    "text": (b"this is no image at all", "not_an_image"),
    "html": (b"<html><script>alert(1)</script></html>", "not_an_image"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', None),
    "gif": (saved(FRAMES[0], "GIF"), "unsupported_format"),
    "bmp": (saved(FRAMES[0], "BMP"), "unsupported_format"),
    "cut png": (logo((400, 400))[:-60], "truncated"),
    "png magic only": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, None),
    "animated": (saved(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "animated"),
    "invisible": (saved(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG"), "empty"),
    "scans": (scans(2000, 640), "too_complex"),
    "bomb": (saved(Image.new("1", (20_000, 20_000)), "PNG"), "too_many_pixels"),
}


@pytest.mark.promise("brand-isolated")
@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=list(BAD))
def test_a_file_that_is_no_usable_image_is_rejected(
    product: Product, owner: Account, data: bytes, reason: str | None
) -> None:
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], data)
    product.deliver_upload(upload)
    path = f"/v1/brands/{brand['id']}"
    seen = product.call("GET", f"{path}/assets/{upload['id']}", headers=owner.headers).json
    assert seen["status"] == "rejected"
    assert seen["reason"] == reason if reason else seen["reason"]
    assert product.call("GET", path, headers=owner.headers).json == brand
    assert product.objects("BrandBucket") == []
    (line,) = product.security_events("brand.upload_rejected")
    assert (line["org_id"], line["actor"]) == (owner.org_id, upload["id"])


def test_a_rejected_file_stays_rejected_when_its_event_comes_again(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], b"nope")
    product.deliver_upload(upload)
    before = product.items("BrandsTable")
    product.deliver_upload(upload)
    assert product.items("BrandsTable") == before


@pytest.mark.promise("brand-isolated")
@pytest.mark.parametrize(
    "key",
    [
        "incoming/nonsense",
        "incoming/org_x/brd_x/upl_x",
        "incoming/../logos/x",
        "logos/a/b/c.png",
        "incoming/{org}/{brand}/{upload}/more",
        "incoming/{stranger}/{brand}/{upload}",
    ],
)
def test_an_object_that_no_one_announced_is_left_alone(
    product: Product, owner: Account, stranger: Account, key: str
) -> None:
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    target = key.format(
        org=owner.org_id, brand=brand["id"], upload=upload["id"], stranger=stranger.org_id
    )
    s3 = aws.client("s3")
    s3.put_object(Bucket=product.names["BrandBucket"], Key=target, Body=logo())
    before = product.items("BrandsTable")
    product.invoke("brand_intake", {"Records": [{"s3": {"object": {"key": target}}}]})
    assert product.items("BrandsTable") == before
    assert len(product.objects("BrandBucket")) == 2


def test_a_brand_deleted_before_its_file_arrives_gets_no_logo(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    kept = product.item("BrandsTable", "UPLOAD#")
    product.delete("BrandsTable", product.item("BrandsTable", "BRAND#"))
    product.edit("BrandsTable", kept)
    product.deliver_upload(upload)
    assert product.objects("BrandBucket") == []


def test_a_fault_on_the_way_leaves_the_event_to_be_delivered_again(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    with product.broken("dynamodb"), pytest.raises(Exception, match="get_item"):
        product.deliver_upload(upload)
    product.deliver_upload(upload)
    path = f"/v1/brands/{brand['id']}/assets/{upload['id']}"
    assert product.call("GET", path, headers=owner.headers).json["status"] == "ready"
