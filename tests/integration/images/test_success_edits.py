"""`POST /v1/images/edits`: a picture of one's own, branded."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from tests.support.api import Account
from tests.support.generations import job, read
from tests.support.images import logo, opened
from tests.support.ledger import audit, held
from tests.support.model_stubs import SEED, Model, employ
from tests.support.openai_requests import (
    data_url,
    edit,
    edit_form,
    events,
    generate,
    picture,
    sources,
)
from tests.support.product import Product


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_branded_at_its_own_size(product: Product, owner: Account, kind: str) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo((64, 32))))
    sent = picture((640, 360), kind)
    model = Model()
    employ(product, model)
    answer = edit(product, owner.headers, sent, brand_id=brand["id"])
    assert answer.status == 200, answer.text
    (image,) = answer.json["data"]
    found = opened(base64.b64decode(image["b64_json"]))
    assert answer.json["size"] == "640x360" == f"{found.width}x{found.height}"
    assert image["brand_report"]["logo"] is not None
    assert [order.source for order in model.orders] == [sent]
    assert held(product) == (1, 0)
    assert audit(product, owner) == []


@pytest.mark.parametrize("name", ["image", "image[]"])
def test_a_file_of_a_form_is_the_same_as_a_picture_in_json(
    product: Product, owner: Account, name: str
) -> None:
    """The client sends one file as `image` and a list as `image[]`."""
    model = Model()
    employ(product, model)
    sent = picture((400, 300))
    fields = {"n": "2", "seed": str(SEED), "response_format": "b64_json", "output_format": "jpeg"}
    answer = edit_form(product, owner.headers, [(name, ("photo.png", sent, "image/png"))], fields)
    assert answer.status == 200, answer.text
    assert answer.json["size"] == "400x300"
    assert {order.source for order in model.orders} == {sent}
    for image in answer.json["data"]:
        found = opened(base64.b64decode(image["b64_json"]))
        assert (found.format, found.size, image["url"]) == ("JPEG", (400, 300), None)
    assert len(answer.json["data"]) == 2


def test_what_is_nested_reaches_us_from_a_form(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    answer = edit_form(
        product,
        owner.headers,
        [("image", ("photo.png", picture((640, 640)), "image/png"))],
        {
            "brand_id": brand["id"],
            "text[headline]": "Grüße",
            "apply_brand_guidelines": "false",
            "future[a][b]": "x",
        },
    )
    assert answer.status == 200, answer.text
    stored = job(product, answer.json["generation_id"])
    assert stored["text"]["headline"] == "Grüße"
    assert stored["apply_brand_guidelines"] is False


@pytest.mark.parametrize("name", [None, "blob"])
def test_nested_fields_of_a_form_are_json_too_and_unknown_parts_have_no_effect(
    product: Product, owner: Account, name: str | None
) -> None:
    """Browsers send JSON of a type as a file called `blob`; others send it without a name."""
    answer = edit_form(
        product,
        owner.headers,
        [
            ("image", ("photo.png", picture((640, 640)), "image/png")),
            ("text", (name, '{"headline": "Grüße"}', "application/json")),
        ],
        {"x-custom": "1", "text.headline": "no", "a[b": "c", "": "d"},
    )
    assert answer.status == 200, answer.text
    assert job(product, answer.json["generation_id"])["text"]["headline"] == "Grüße"


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((100, 50), (512, 256)),  # enlarged until its shorter side can be made
        ((3000, 1500), (2048, 1024)),
        ((4000, 100), (2048, 256)),  # as near as it goes
    ],
)
def test_a_picture_that_is_too_small_or_too_large_is_brought_within_what_can_be_made(
    product: Product, owner: Account, size: tuple[int, int], made: tuple[int, int]
) -> None:
    answer = edit(product, owner.headers, picture(size, "JPEG"), response_format="url")
    assert answer.status == 200, answer.text
    assert answer.json["size"] == f"{made[0]}x{made[1]}"


def test_another_size_can_be_asked_for(product: Product, owner: Account) -> None:
    wanted: list[tuple[dict[str, Any], str]] = [
        ({"size": "512x256"}, "512x256"),
        ({"preset": "square"}, "1080x1080"),
    ]
    for body, size in wanted:
        answer = edit(product, owner.headers, picture(), response_format="url", **body)
        assert answer.json["size"] == size


def test_a_stream_of_edits_is_named_so(product: Product, owner: Account) -> None:
    answer = edit(product, owner.headers, picture(), stream=True)
    assert [name for name, _ in events(answer)] == ["image_edit.completed"]


@pytest.mark.promise("media-72h", "deletion")
def test_the_picture_lies_under_its_organization_and_goes_with_the_job(
    product: Product, owner: Account
) -> None:
    made = edit(product, owner.headers, picture()).json["generation_id"]
    assert sources(product) == [f"sources/{owner.org_id}/{made}"]
    path = f"/v1/generations/{made}"
    assert product.call("DELETE", path, headers=owner.headers).status == 204
    assert product.objects("MediaBucket") == []


@pytest.mark.promise("media-72h")
def test_the_picture_is_swept_with_its_job_at_72_hours(product: Product, owner: Account) -> None:
    made = edit(product, owner.headers, picture()).json["generation_id"]
    past = int(time.time()) - 1
    product.edit("GenerationsTable", job(product, made), expires_at=past, sweep_at=past)
    assert product.invoke("cleanup", {})["deleted"] == 1
    assert product.objects("MediaBucket") == []


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("reason", ["credits", "brand", "model"])
def test_the_picture_of_a_refused_request_is_not_kept(
    product: Product, owner: Account, reason: str
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    bodies: dict[str, dict[str, Any]] = {
        "credits": {"n": 2},
        "brand": {"brand_id": "brd_00000000000000000000000000"},
        "model": {"model": "dall-e-2"},
    }
    body = bodies[reason]
    answer = edit(product, owner.headers, picture(), **body)
    assert answer.status == {"credits": 402, "brand": 404, "model": 422}[reason]
    assert product.objects("MediaBucket") == []
    assert product.items("GenerationsTable") == []


def test_the_picture_of_a_repeated_request_is_kept_once(product: Product, owner: Account) -> None:
    first = edit(product, owner.headers, picture())
    again = edit(product, owner.headers, picture(), attempt=1)
    assert first.json["generation_id"] == again.json["generation_id"]
    assert len(sources(product)) == 1
    assert held(product) == (1, 0)


def test_another_picture_is_another_request(product: Product, owner: Account) -> None:
    first = edit(product, owner.headers, picture())
    other = edit(product, owner.headers, picture(kind="JPEG"), attempt=1)
    assert first.json["generation_id"] != other.json["generation_id"]
    # One picture as a file and as JSON is one request all the same: what it requests is the same.
    url = {"images": [{"image_url": data_url(picture())}]}
    assert (
        edit(product, owner.headers, b"", attempt=1, **url).json["generation_id"]
        == (first.json["generation_id"])
    )


@pytest.mark.promise("quota-org")
def test_when_no_answer_comes_the_picture_is_kept_because_the_job_may_be_there(
    product: Product, owner: Account
) -> None:
    with product.broken("dynamodb", "TransactWriteItems"):
        answer = edit(product, owner.headers, picture())
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert len(sources(product)) == 1  # the bucket's lifecycle removes what no one comes for


@pytest.mark.promise("quota-org")
def test_a_picture_that_cannot_be_stored_makes_no_job(product: Product, owner: Account) -> None:
    with product.broken("s3"):
        answer = edit(product, owner.headers, picture())
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert product.items("GenerationsTable") == []
    assert product.queued() == 0


@pytest.mark.promise("quota-org")
def test_a_picture_that_is_gone_fails_its_job_and_costs_nothing(
    product: Product, owner: Account
) -> None:
    product.works_while_waiting = False
    answer = edit(product, owner.headers, picture())
    assert answer.status == 303
    (key,) = sources(product)
    product.part("images", GenerationsWiring).media.delete(key)
    product.work_queue()
    made = job(product, key.rpartition("/")[2])
    assert (made["status"], made["error"]["code"]) == ("failed", "invalid_image")
    assert held(product) == (0, 0)


@pytest.mark.promise("quota-org", "errors-sanitized")
@pytest.mark.parametrize("cut", [40, 400])
def test_a_picture_that_is_damaged_is_reported_and_costs_nothing(
    product: Product, owner: Account, cut: int
) -> None:
    answer = edit(product, owner.headers, picture()[:cut])
    assert (answer.status, answer.json["code"]) == (400, "invalid_image")
    assert held(product) == (0, 0)
    made = product.item("GenerationsTable", "GEN#")
    assert read(product, owner.headers, made["id"])["status"] == "failed"
    assert [key for key in product.objects("MediaBucket") if not key.startswith("sources/")] == []
    assert audit(product, owner) == []


def test_a_generation_of_the_same_words_is_not_an_edit(product: Product, owner: Account) -> None:
    first = edit(product, owner.headers, picture(), size="256x256")
    other = generate(product, owner.headers, attempt=1)
    assert first.json["generation_id"] != other.json["generation_id"]
