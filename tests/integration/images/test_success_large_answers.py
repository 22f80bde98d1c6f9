"""Images of any size reach a client that reads their bytes: inside the response where it has the
room, and otherwise behind one more redirect."""

from __future__ import annotations

import base64
import json
import random
import time
from copy import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from imagelayer.generations.large_answers import FORMS as FORMS_KEPT
from imagelayer.generations.large_answers import LINK_SECONDS, RESPONSE_BYTES
from imagelayer.generations.records import Job
from imagelayer.generations.store import GenerationStore
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.image_models.image_model import ImageRequest
from imagelayer.openai_api.images import MAX_HOPS
from tests.support.api import Account, Answer
from tests.support.generations import read
from tests.support.ledger import audit, held
from tests.support.model_stubs import employ
from tests.support.openai_requests import edit, events, follow, generate, linked, picture
from tests.support.product import Product

FORMS = pytest.mark.parametrize("wanted", [None, "b64_json"])
TWO: dict[str, Any] = {"n": 2, "size": "1024x1024"}  # of noise: 8.4 MB in base64


class Noise:
    """A model whose pictures nothing compresses, as photos of fine grain nearly are."""

    def generate(self, order: ImageRequest) -> Image.Image:
        """The same noise for the same seed."""
        size = (order.width, order.height)
        data = random.Random(order.seed).randbytes(3 * order.width * order.height)
        return Image.frombytes("RGB", size, data)


@pytest.fixture(autouse=True)
def noise(product: Product) -> None:
    """Every picture is noise."""
    employ(product, Noise())


def kept(product: Product) -> list[str]:
    """The keys of answers in the bucket."""
    return [key for key in product.objects("MediaBucket") if key.startswith("answers/")]


def images_of(answer: Answer, *, stream: bool = False) -> list[dict[str, Any]]:
    """The images of an answer."""
    assert answer.status == 200, answer.text
    return [data for _, data in events(answer)] if stream else list(answer.json["data"])


@pytest.mark.promise("quota-org")
@FORMS
@pytest.mark.parametrize("route", ["generations", "edits"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_no_response_can_hold_is_complete_behind_a_link(
    product: Product, owner: Account, wanted: str | None, route: str, stream: bool
) -> None:
    asked = {**TWO, "response_format": wanted, "stream": stream}
    if route == "edits":
        first = edit(product, owner.headers, picture(), **asked)
    else:
        first = generate(product, owner.headers, **asked)
    assert (first.status, first.text) == (303, "")
    images = images_of(linked(first), stream=stream)
    made = read(product, owner.headers, product.item("GenerationsTable", "GEN#")["id"])
    for image, asset in zip(images, made["assets"], strict=True):
        assert image["asset_id"] == asset["id"]
        data = base64.b64decode(image["b64_json"], validate=True)
        assert data == product.fetch(asset["url"])[1]
        assert image["brand_report"]["passed"]
        assert (image["url"] is None) is (wanted == "b64_json")
    assert held(product) == (2, 0)
    assert audit(product, owner) == []


def test_it_says_the_same_as_a_response_that_has_the_room(product: Product, owner: Account) -> None:
    small = generate(product, owner.headers, n=2)
    large = linked(generate(product, owner.headers, **TWO))
    assert large.headers["content-type"] == small.headers["content-type"]
    assert large.json.keys() == small.json.keys()
    assert large.json["data"][0].keys() == small.json["data"][0].keys()
    assert (large.json["size"], large.json["credits"]) == ("1024x1024", 2)


@pytest.mark.parametrize(("side", "fits"), [(1248, True), (1256, False)])
def test_the_bytes_themselves_decide_and_lambda_takes_what_is_answered(
    product: Product, owner: Account, side: int, fits: bool
) -> None:
    """A pixel of noise is three bytes, and four in base64."""
    answer = generate(product, owner.headers, size=f"{side}x{side}", response_format="b64_json")
    assert answer.status == (200 if fits else 303)
    payload = {"statusCode": answer.status, "headers": answer.headers, "body": answer.text}
    size = len(json.dumps(payload))
    assert size <= RESPONSE_BYTES
    if fits:
        assert size > RESPONSE_BYTES * 0.98


@pytest.mark.parametrize(
    "body",
    [
        {"size": "1536x1024"},
        {"size": "1024x1536"},
        {"size": "1792x1024", "n": 4},
        {"size": None, "n": 4},
        {"size": "2048x2048", "n": 4},
        {"size": "2048x2048", "n": 4, "output_format": "jpeg"},
        {"size": "2048x2048", "n": 4, "output_format": "webp"},
        {"size": None, "preset": "youtube-banner"},
    ],
)
def test_no_size_is_refused_for_what_its_bytes_might_be(
    product: Product, owner: Account, body: dict[str, Any]
) -> None:
    product.works_while_waiting = False
    answer = generate(product, owner.headers, response_format="b64_json", **body)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/v1/images/jobs/")


def test_links_always_fit(product: Product, owner: Account) -> None:
    answer = generate(product, owner.headers, response_format="url", **TWO)
    assert [bool(image["url"]) for image in images_of(answer)] == [True, True]
    assert kept(product) == []


@pytest.mark.promise("quota-org")
@FORMS
def test_a_repeated_request_gets_the_same_images_by_a_link_of_its_own(
    product: Product, owner: Account, wanted: str | None
) -> None:
    answers = [
        linked(generate(product, owner.headers, attempt=each, response_format=wanted, **TWO))
        for each in (0, 1)
    ]
    seen = [[image["b64_json"] for image in images_of(answer)] for answer in answers]
    assert seen[0] == seen[1]
    assert len(kept(product)) == 1
    assert held(product) == (2, 0)


@FORMS
def test_one_that_was_waited_for_is_reached_by_the_last_redirect(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch, wanted: str | None
) -> None:
    def pause(paused: float) -> None:
        product._waited += paused
        if product._waited >= 30:
            product.work_queue()

    monkeypatch.setattr(product, "_pause", pause)
    first = generate(product, owner.headers, response_format=wanted, **TWO)
    answer, hops = follow(product, owner.headers, first)
    assert (hops, len(images_of(answer))) == (2, 2)


def test_it_is_still_reached_after_as_many_redirects_as_the_clients_follow(
    product: Product, owner: Account
) -> None:
    """They follow 20: 18 to wait, and the one to the answer."""
    made = generate(product, owner.headers, response_format="url", **TWO).json["generation_id"]
    answer = product.call(
        "GET", f"/v1/images/jobs/{made}", headers=owner.headers, query={"hop": str(MAX_HOPS)}
    )
    assert len(images_of(linked(answer))) == 2


@pytest.mark.promise("assets-signed")
def test_the_link_lives_a_minute_and_is_nowhere_else(product: Product, owner: Account) -> None:
    answer = generate(product, owner.headers, **TWO)
    place = urlsplit(answer.headers["location"])
    assert parse_qs(place.query)["X-Amz-Expires"] == [str(LINK_SECONDS)]
    assert answer.headers["cache-control"] == "no-store"
    (key,) = kept(product)
    assert place.path.endswith(key)
    unsigned = replace(answer, headers={"location": answer.headers["location"].split("?")[0]})
    assert linked(unsigned).status == 403


def test_the_link_never_outlives_the_images(product: Product, owner: Account) -> None:
    made = generate(product, owner.headers, response_format="url", **TWO).json["generation_id"]
    job = product.item("GenerationsTable", "GEN#")
    product.edit("GenerationsTable", job, expires_at=int(time.time()) + 20)
    answer = product.call("GET", f"/v1/images/jobs/{made}", headers=owner.headers)
    (seconds,) = parse_qs(urlsplit(answer.headers["location"]).query)["X-Amz-Expires"]
    assert 1 <= int(seconds) <= 20


@pytest.mark.promise("media-72h")
@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_it_goes_with_its_generation(product: Product, owner: Account, how: str) -> None:
    for wanted in (None, "b64_json"):
        for stream in (False, True):
            asked = {**TWO, "seed": 1, "response_format": wanted, "stream": stream}
            first = generate(product, owner.headers, **asked)
            assert len(images_of(linked(first), stream=stream)) == 2
    jobs = [item for item in product.items("GenerationsTable") if item["sk"].startswith("GEN#")]
    assert len(kept(product)) == len(jobs) == 4
    for job in jobs:
        if how == "deleted":
            path = f"/v1/generations/{job['id']}"
            assert product.call("DELETE", path, headers=owner.headers).status == 204
        else:
            product.edit("GenerationsTable", job, expires_at=1, sweep_at=1)
    if how == "expired":
        product.invoke("cleanup", {})
    assert product.objects("MediaBucket") == []


def test_an_answer_that_is_written_while_its_generation_is_deleted_goes_as_well(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two orders in which the writer and the deletion can pass each other."""
    made = generate(product, owner.headers, response_format="url", **TWO).json["generation_id"]
    answers = product.part("images", GenerationsWiring).large_answers
    put, path = answers.media.put, f"/v1/generations/{made}"

    def deleted_first(*args: Any, **fields: Any) -> None:
        assert product.call("DELETE", path, headers=owner.headers).status == 204
        put(*args, **fields)

    monkeypatch.setattr(answers.media, "put", deleted_first)
    late = product.call("GET", f"/v1/images/jobs/{made}", headers=owner.headers)
    assert (late.status, late.json["code"]) == (404, "not_found")
    assert product.objects("MediaBucket") == []


def test_an_answer_that_is_written_before_the_record_is_removed_goes_as_well(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generate(product, owner.headers, response_format="url", **TWO).json["generation_id"]
    answers = product.part("images", GenerationsWiring).large_answers
    remove = GenerationStore.delete_generation

    def written_first(self: GenerationStore, job: Job) -> None:
        for form in FORMS_KEPT:
            answers.keep(job, form, "{}", time.time(), content_type="application/json")
        assert len(kept(product)) == 4
        remove(self, job)

    monkeypatch.setattr(GenerationStore, "delete_generation", written_first)
    path = f"/v1/generations/{made}"
    assert product.call("DELETE", path, headers=owner.headers).status == 204
    assert product.objects("MediaBucket") == []
