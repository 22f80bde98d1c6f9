"""A file that is an image becomes the brand's logo, as clean pixels."""

from __future__ import annotations

import pytest

from tests.support import aws
from tests.support.api import Account
from tests.support.images import logo, opened
from tests.support.product import Product


def stored(product: Product, key: str) -> bytes:
    s3 = aws.client("s3")
    data: bytes = s3.get_object(Bucket=product.names["BrandBucket"], Key=key)["Body"].read()
    return data


@pytest.mark.parametrize(
    ("kind", "content_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_an_image_becomes_the_logo(
    product: Product, owner: Account, kind: str, content_type: str
) -> None:
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo(kind=kind), content_type=content_type)
    product.deliver_upload(upload)
    path = f"/v1/brands/{brand['id']}"
    seen = product.call("GET", f"{path}/assets/{upload['id']}", headers=owner.headers)
    assert (seen.json["status"], seen.json["reason"]) == ("ready", None)
    now = product.call("GET", path, headers=owner.headers).json
    assert now["logos"] == {"logo": {"upload_id": upload["id"], "width": 160, "height": 80}}
    assert now["version"] == brand["version"] + 1
    (key,) = product.objects("BrandBucket")
    assert key == f"logos/{owner.org_id}/{brand['id']}/{upload['id']}.png"
    assert opened(stored(product, key)).format == "PNG"


@pytest.mark.promise("no-training")
def test_nothing_but_pixels_of_a_file_is_kept(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    data = logo(secret="gps 47.11 8.15") + b"<script>trailing</script>"
    product.deliver_upload(product.upload(owner.headers, brand["id"], data))
    (key,) = product.objects("BrandBucket")
    kept = stored(product, key)
    assert b"gps 47.11" not in kept
    assert b"script" not in kept
    assert opened(kept).convert("RGBA").tobytes() == opened(logo()).convert("RGBA").tobytes()


def test_an_event_that_comes_twice_changes_the_brand_once(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    product.deliver_upload(upload)
    before = product.items("BrandsTable"), product.objects("BrandBucket")
    product.deliver_upload(upload)
    assert (product.items("BrandsTable"), product.objects("BrandBucket")) == before


def test_a_new_logo_of_a_kind_replaces_the_old_one(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo()))
    second = product.upload(owner.headers, brand["id"], logo((64, 64)))
    product.deliver_upload(second)
    now = product.call("GET", f"/v1/brands/{brand['id']}", headers=owner.headers).json
    assert now["logos"]["logo"] == {"upload_id": second["id"], "width": 64, "height": 64}
