"""A queued job becomes paid, branded images."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.images import logo, opened
from tests.support.product import Product


def generate(product: Product, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    """Ask, let the worker work, and read the job."""
    asked = product.call(
        "POST",
        "/v1/generations",
        headers=headers,
        body={"prompt": "warm waves", "size": "512x512", "seed": 7, **body},
    )
    assert asked.status == 202, asked.text
    product.work_queue()
    seen = product.call("GET", f"/v1/generations/{asked.json['id']}", headers=headers)
    return dict(seen.json)


def message(product: Product, job: dict[str, Any], owner: Account, message_id: str) -> Any:
    body = f'{{"org_id": "{owner.org_id}", "generation_id": "{job["id"]}"}}'
    event = {"Records": [{"messageId": message_id, "body": body}]}
    return product.invoke("generation_worker", event)


@pytest.mark.parametrize(
    ("output_format", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")]
)
def test_the_link_of_a_finished_job_gives_the_image(
    product: Product, owner: Account, output_format: str, kind: str
) -> None:
    job = generate(product, owner.headers, output_format=output_format, size="512x384")
    assert (job["status"], job["error"]) == ("succeeded", None)
    (asset,) = job["assets"]
    status, data = product.fetch(asset["url"])
    assert status == 200
    picture = opened(data)
    assert (picture.format, picture.size) == (kind, (512, 384))
    assert (asset["width"], asset["height"], asset["size_bytes"]) == (512, 384, len(data))
    assert asset["content_type"] == f"image/{output_format}"
    assert asset["brand_report"]


def test_the_logos_exact_pixels_are_in_the_image(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo((96, 48))))
    job = generate(
        product, owner.headers, brand_id=brand["id"], logo="bottom-right", size="1024x1024"
    )
    picture = opened(product.fetch(job["assets"][0]["url"])[1]).convert("RGB")
    where = job["assets"][0]["brand_report"]["logo"]
    assert (where["width"], where["height"], where["scale"]) == (96, 48, 1.0)
    original = opened(logo((96, 48)))
    laid = picture.crop((where["x"], where["y"], where["x"] + 96, where["y"] + 48))
    for x in range(96):
        for y in range(48):
            pixel = original.getpixel((x, y))
            assert isinstance(pixel, tuple)
            if pixel[3] == 255:
                assert laid.getpixel((x, y)) == pixel[:3]


def test_without_a_logo_none_is_laid(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo()))
    job = generate(product, owner.headers, brand_id=brand["id"], logo="none")
    assert job["assets"][0]["brand_report"]["logo"] is None


def test_one_seed_is_one_picture_and_n_pictures_differ(product: Product, owner: Account) -> None:
    one = generate(product, owner.headers, n=2)
    two = generate(product, owner.headers, n=2)

    def digests(job: dict[str, Any]) -> list[str]:
        return [hashlib.sha256(product.fetch(each["url"])[1]).hexdigest() for each in job["assets"]]

    assert [each["seed"] for each in one["assets"]] == [7, 8]
    assert digests(one) == digests(two)
    assert len(set(digests(one))) == 2


def test_a_brands_guidelines_shape_the_picture_unless_switched_off(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner, style="bauhaus geometric poster", prompt_suffix="isometric city")
    plain = generate(product, owner.headers, brand_id=brand["id"], apply_brand_guidelines=False)
    shaped = generate(product, owner.headers, brand_id=brand["id"])
    pictures = [product.fetch(job["assets"][0]["url"])[1] for job in (plain, shaped)]
    assert pictures[0] != pictures[1]


def test_pictures_of_test_keys_are_watermarked_and_free(product: Product, owner: Account) -> None:
    live, test = (product.key(owner, *ALL_SCOPES, mode=mode) for mode in ("live", "test"))
    clean, marked = generate(product, bearer(live)), generate(product, bearer(test))
    assert (clean["credits"], marked["credits"]) == (1, 0)
    assert product.item("CreditsTable", "BALANCE#")["used"] == 1
    pictures = [
        opened(product.fetch(job["assets"][0]["url"])[1]).convert("RGB").tobytes()
        for job in (clean, marked)
    ]
    differing = sum(a != b for a, b in zip(*pictures, strict=True)) / len(pictures[0])
    assert differing > 0.02


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("mode", ["live", "test"])
@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
def test_a_message_that_comes_twice_is_worked_and_charged_once(
    product: Product, owner: Account, status: str, mode: str
) -> None:
    """It comes under the lease that the ended job still has, as SQS delivers it, and another."""
    headers = bearer(product.key(owner, *ALL_SCOPES, mode=mode))
    brand = product.brand_with_logo(owner)
    sent = {"prompt": "warm waves", "size": "256x256", "brand_id": brand["id"]}
    job = product.call("POST", "/v1/generations", headers=headers, body=sent).json
    if status == "failed":  # for want of the logo
        path = f"/v1/brands/{brand['id']}"
        assert product.call("DELETE", path, headers=owner.headers).status == 204
    if status == "canceled":
        stored = product.item("GenerationsTable", "GEN#")
        product.edit("GenerationsTable", stored, status="running", lease="m-1", attempts=1)
        path = f"/v1/generations/{job['id']}/cancel"
        assert product.call("POST", path, headers=headers).status == 200
    else:
        assert message(product, job, owner, "m-1") == {"batchItemFailures": []}
    ended = product.item("GenerationsTable", "GEN#")
    assert (ended["status"], ended["lease"]) == (status, "m-1")
    before = product.dump_of("GenerationsTable"), product.dump_of("CreditsTable")
    objects = product.objects("MediaBucket")
    for message_id in ("m-1", "another"):
        assert message(product, job, owner, message_id) == {"batchItemFailures": []}
    assert (product.dump_of("GenerationsTable"), product.dump_of("CreditsTable")) == before
    assert product.objects("MediaBucket") == objects


@pytest.mark.promise("quota-org")
def test_a_worker_that_lost_its_answer_finishes_the_same_job_and_leaves_one_image(
    product: Product, owner: Account
) -> None:
    """It died after storing the image: the same message comes again and keeps its lease."""
    asked = product.call(
        "POST", "/v1/generations", headers=owner.headers, body={"prompt": "x", "size": "256x256"}
    ).json
    with product.broken("dynamodb", "TransactWriteItems"):
        assert message(product, asked, owner, "m-1")["batchItemFailures"]
    stored = product.objects("MediaBucket")
    assert len(stored) == 1
    assert product.item("CreditsTable", "BALANCE#")["reserved"] == 1
    assert message(product, asked, owner, "m-1") == {"batchItemFailures": []}
    (left,) = product.objects("MediaBucket")
    assert left == product.item("GenerationsTable", "AST#")["object_key"] != stored[0]
    settled = product.item("CreditsTable", "BALANCE#")
    assert (settled["used"], settled["reserved"]) == (1, 0)


@pytest.mark.promise("no-training")
def test_objects_lie_under_their_organization_and_say_when_they_expire(
    product: Product, owner: Account
) -> None:
    job = generate(product, owner.headers)
    (key,) = product.objects("MediaBucket")
    assert key == f"{owner.org_id}/{job['id']}/{job['assets'][0]['id']}.png"
