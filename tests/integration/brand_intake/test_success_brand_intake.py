"""A file that is an image becomes the brand's logo, as clean pixels."""

from __future__ import annotations

import pytest

from imagelayer.brands.wiring import BrandsWiring
from tests.support import accounts, aws
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


def test_of_each_kind_the_current_logo_and_the_one_before_are_kept_and_no_more(
    product: Product, owner: Account
) -> None:
    """Jobs that were accepted before a change still need the one before."""
    brand = product.brand(owner)
    ids = []
    for number in range(4):
        size = (100 + 10 * number, 50)
        upload = product.upload(owner.headers, brand["id"], logo(size))
        product.deliver_upload(upload)
        ids.append(upload["id"])
        prefix = f"logos/{owner.org_id}/{brand['id']}"
        kept = [f"{prefix}/{each}.png" for each in ids[-2:]]
        assert sorted(product.objects("BrandBucket")) == sorted(kept)
    uploads = [each for each in product.items("BrandsTable") if each["sk"][:6] == "UPLOAD"]
    lasting = [each["id"] for each in uploads if "expires_at" not in each]
    assert sorted(lasting) == sorted(ids[-2:])
    dark = product.upload(owner.headers, brand["id"], logo(), kind="logo_dark")
    product.deliver_upload(dark)
    assert len(product.objects("BrandBucket")) == 3
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    assert product.objects("BrandBucket") == []


def test_of_two_files_that_arrive_at_once_neither_is_lost_from_sight(
    product: Product, owner: Account
) -> None:
    """The second finds another logo than it read, and replaces that one."""
    brand = product.brand(owner)
    first, second, third = (
        product.upload(owner.headers, brand["id"], logo((100 + number, 50))) for number in range(3)
    )
    product.deliver_upload(first)
    store = product.part("brand_intake", BrandsWiring).brand_store
    with accounts.meanwhile(store, "get_brand", lambda: product.deliver_upload(second)):
        product.deliver_upload(third)
    kept = {key.rpartition("/")[2][:-4] for key in product.objects("BrandBucket")}
    assert kept == {second["id"], third["id"]}
    brand_now = product.item("BrandsTable", "BRAND#")
    assert brand_now["logos"]["logo"]["upload_id"] == third["id"]
    assert brand_now["logos"]["logo"]["replaced"]["upload_id"] == second["id"]


def test_a_new_logo_of_a_kind_replaces_the_old_one(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo()))
    second = product.upload(owner.headers, brand["id"], logo((64, 64)))
    product.deliver_upload(second)
    now = product.call("GET", f"/v1/brands/{brand['id']}", headers=owner.headers).json
    assert now["logos"]["logo"] == {"upload_id": second["id"], "width": 64, "height": 64}
