"""`POST /v1/images/generations`: what the `openai` client reads, from a job like any other."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.generations import read
from tests.support.images import logo, opened
from tests.support.ledger import audit, held
from tests.support.model_stubs import SEED, Model, employ
from tests.support.openai_requests import events, generate
from tests.support.product import Product

FORMATS = [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP"), ("avif", "AVIF")]


def only(answer: Answer) -> dict[str, Any]:
    """The one image of an answer."""
    assert answer.status == 200, answer.text
    (image,) = answer.json["data"]
    return dict(image)


def bytes_of(image: dict[str, Any]) -> bytes:
    """What stands in `b64_json`."""
    return base64.b64decode(image["b64_json"], validate=True)


@pytest.mark.promise("quota-org")
def test_an_image_comes_with_its_link_and_its_bytes_and_is_charged_once(
    product: Product, owner: Account
) -> None:
    answer = generate(product, owner.headers)
    image = only(answer)
    assert product.fetch(image["url"])[1] == bytes_of(image)
    found = opened(bytes_of(image))
    assert (found.format, found.size) == ("PNG", (256, 256))
    body = answer.json
    assert (body["size"], body["output_format"], body["background"]) == ("256x256", "png", "opaque")
    assert (body["credits"], held(product)) == (1, (1, 0))
    seen = read(product, owner.headers, body["generation_id"])
    assert (seen["status"], seen["assets"][0]["id"]) == ("succeeded", image["asset_id"])
    assert isinstance(body["created"], int)
    assert audit(product, owner) == []


@pytest.mark.parametrize(
    ("wanted", "has"),
    [("url", {"url"}), ("b64_json", {"b64_json"}), (None, {"url", "b64_json"})],
)
def test_the_answer_has_what_was_asked_for_and_both_by_default(
    product: Product, owner: Account, wanted: str | None, has: set[str]
) -> None:
    image = only(generate(product, owner.headers, response_format=wanted))
    assert {name for name in ("url", "b64_json") if image[name] is not None} == has


@pytest.mark.parametrize(("output_format", "kind"), FORMATS)
def test_every_format_is_what_it_says(
    product: Product, owner: Account, output_format: str, kind: str
) -> None:
    answer = generate(
        product, owner.headers, output_format=output_format, output_compression=50, size="320x256"
    )
    found = opened(bytes_of(only(answer)))
    assert (found.format, found.size) == (kind, (320, 256))
    assert answer.json["output_format"] == output_format


def test_less_quality_is_fewer_bytes_and_none_is_the_least(
    product: Product, owner: Account
) -> None:
    sizes = [
        len(bytes_of(only(generate(
            product, owner.headers, output_format="jpeg", output_compression=quality, seed=7
        ))))
        for quality in (95, 20, 1, 0)
    ]  # fmt: skip
    assert sizes[0] > sizes[1] > sizes[2] == sizes[3]


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({"size": "auto"}, "1024x1024"),
        ({"size": None}, "1024x1024"),
        ({"size": "300x520"}, "300x520"),
        ({"size": None, "preset": "open-graph"}, "1200x630"),
    ],
)
def test_the_size_is_exactly_the_one_asked_for(
    product: Product, owner: Account, body: dict[str, Any], size: str
) -> None:
    answer = generate(product, owner.headers, response_format="url", **body)
    image = opened(product.fetch(only(answer)["url"])[1])
    assert answer.json["size"] == size == f"{image.width}x{image.height}"


def test_what_the_client_may_send_and_we_do_not_need_is_taken(
    product: Product, owner: Account
) -> None:
    answer = generate(
        product,
        owner.headers,
        quality="hd",
        style="vivid",
        moderation="low",
        user="user-1",
        background="opaque",
        partial_images=2,
        safety_identifier="x",
        complexity={"made": ["up"]},
        any_field_of_the_future=[1, 2],
    )
    assert only(answer)["b64_json"]


def test_a_field_that_is_null_is_one_that_was_left_out(product: Product, owner: Account) -> None:
    names = ("model", "n", "response_format", "output_format", "output_compression", "background",
             "stream", "seed", "brand_id", "preset", "text", "template")  # fmt: skip
    nothing: dict[str, Any] = dict.fromkeys(names)
    answer = generate(product, owner.headers, **nothing)
    assert only(answer)["url"]
    assert answer.json["output_format"] == "png"


def test_the_brand_is_laid_on_and_reported(product: Product, owner: Account) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo((96, 48))))
    answer = generate(
        product,
        owner.headers,
        brand_id=brand["id"],
        size="1024x1024",
        text={"headline": "Hello there"},
        logo="bottom-right",
    )
    report = only(answer)["brand_report"]
    assert report["logo"]["width"] == 96
    assert report["passed"] is True
    assert (answer.json["brand_id"], answer.json["brand_version"]) == (brand["id"], 2)


@pytest.mark.promise("quota-org")
def test_several_images_are_several_seeds_and_those_that_failed_are_left_out_and_free(
    product: Product, owner: Account
) -> None:
    employ(product, Model({1: "content_filtered"}))
    answer = generate(product, owner.headers, n=3, seed=SEED)
    assert answer.status == 200
    assert [image["seed"] for image in answer.json["data"]] == [SEED, SEED + 2]
    assert (answer.json["credits"], held(product)) == (2, (2, 0))


def test_test_keys_cost_nothing(product: Product, owner: Account) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    answer = generate(product, key, n=2)
    assert (len(answer.json["data"]), answer.json["credits"]) == (2, 0)


def test_a_stream_is_each_image_completed(product: Product, owner: Account) -> None:
    answer = generate(product, owner.headers, stream=True, n=2, seed=SEED)
    assert answer.status == 200
    found = events(answer)
    assert [name for name, _ in found] == ["image_generation.completed"] * 2
    for name, data in found:
        assert data["type"] == name
        assert opened(bytes_of(data)).size == (256, 256)
        assert (data["size"], data["output_format"], data["background"]) == (
            "256x256",
            "png",
            "opaque",
        )
        assert isinstance(data["created_at"], int)
    assert [data["seed"] for _, data in found] == [SEED, SEED + 1]


def test_previews_are_never_streamed(product: Product, owner: Account) -> None:
    """Nothing leaves before the brand is on it."""
    answer = generate(product, owner.headers, stream=True, partial_images=3)
    assert [name for name, _ in events(answer)] == ["image_generation.completed"]


def test_a_stream_that_is_refused_is_a_problem_like_any_other(
    product: Product, owner: Account
) -> None:
    answer = generate(product, owner.headers, stream=True, n=5)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")


def test_the_models_that_can_be_asked_are_listed_and_read_one_by_one(
    product: Product, owner: Account
) -> None:
    listed = product.call("GET", "/v1/models", headers=owner.headers).json
    assert listed["object"] == "list"
    for model in listed["data"]:
        assert (model["object"], isinstance(model["created"], int)) == ("model", True)
        path = f"/v1/models/{model['id']}"
        assert product.call("GET", path, headers=owner.headers).json == model
    assert "studio" in {model["id"] for model in listed["data"]}
