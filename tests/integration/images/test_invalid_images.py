"""What the routes of the `openai` client refuse: by its own error classes, with nothing held."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from imagelayer.image_models.image_model import FAILURES
from imagelayer.platform.errors import CATALOGUE
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.images import scans
from tests.support.ledger import audit, held
from tests.support.model_stubs import SEED, Model, employ, offer
from tests.support.openai_requests import (
    data_url,
    edit,
    edit_form,
    generate,
    picture,
    sources,
)
from tests.support.product import Product

PNG = b"\x89PNG\r\n\x1a\n"


def param(answer: Answer) -> str | None:
    """The field at fault, as an `openai` client sees it."""
    assert (answer.status, answer.json["code"]) == (422, "validation_failed"), answer.text
    found: str | None = answer.json["error"]["param"]
    return found


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 5}, "n"),
        ({"n": 10}, "n"),
        ({"size": "big"}, "size"),
        ({"size": "64x64"}, "size"),
        ({"size": "4096x4096"}, "size"),
        ({"model": "dall-e-3"}, "model"),
        ({"response_format": "bytes"}, "response_format"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_compression": 101}, "output_compression"),
        ({"background": "transparent"}, "background"),
        ({"background": "blue"}, "background"),
        ({"stream": "yes"}, "stream"),
        ({"preset": "square"}, "preset"),  # the request names a size too
        ({"seed": -1}, "seed"),
    ],
)
def test_a_broken_rule_names_its_field_and_holds_nothing(
    product: Product, owner: Account, body: dict[str, Any], named: str
) -> None:
    answer = generate(product, owner.headers, **body)
    assert param(answer) == named
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert product.items("GenerationsTable") == []
    assert (product.queued(), product._waited) == (0, 0)


@pytest.mark.parametrize(
    "url",
    [
        "https://photos.example/a.png",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "data:text/html;base64,PGI+",
        "data:image/png,plain",
        "data:image/png;base64",
        "data:image/png;base64,%%%",
        "data:image/png;base64,é",
        "data:image/png;base64,iVBOR\nw0KGgo=",
        "",
    ],
)
def test_no_link_is_fetched_and_no_picture_is_guessed(
    product: Product, owner: Account, url: str
) -> None:
    """Fetching would reach from inside our network wherever a caller points. Tests have no network,
    so an attempt would not be a 422."""
    answer = edit(product, owner.headers, b"", images=[{"image_url": url}])
    assert param(answer) == "images.0.image_url"
    assert product.objects("MediaBucket") == []
    assert product.items("GenerationsTable") == []


@pytest.mark.parametrize(
    "garbage",
    [b"", b"GIF89a" + bytes(50), b"%PDF-1.7", b"<svg/>", bytes(100), b"\x00\x00\x01\x00" + bytes(9),
     PNG[:7], PNG, b"RIFF" + bytes(40), b"\xff\xd8\xff" + bytes(40), PNG + bytes(100)],
)  # fmt: skip
def test_what_is_not_a_picture_is_refused_without_a_job(
    product: Product, owner: Account, garbage: bytes
) -> None:
    answer = edit(product, owner.headers, garbage)
    assert param(answer) == "image"
    form = edit_form(product, owner.headers, [("image", ("a.png", garbage, "image/png"))])
    assert param(form) == "image"
    assert product.objects("MediaBucket") == []
    assert product.items("GenerationsTable") == []


def test_a_picture_of_too_many_scans_is_refused_in_the_request_without_a_job(
    product: Product, owner: Account
) -> None:
    """A test key would pay nothing for the minutes that a worker decodes it."""
    bomb = scans(2000, 640)
    headers = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    assert param(edit(product, headers, bomb)) == "image"
    form = edit_form(product, headers, [("image", ("a.jpg", bomb, "image/jpeg"))])
    assert param(form) == "image"
    assert product.objects("MediaBucket") == []
    assert product.items("GenerationsTable") == []


@pytest.mark.parametrize(
    "files",
    [
        [],
        [("image[]", ("a.png", picture(), "image/png")), ("image[]", ("b.png", picture(), ""))],
        [("image", ("a.png", picture(), "image/png")), ("image", ("b.png", picture(), ""))],
    ],
    ids=["none", "two in a list", "two of one name"],
)
def test_exactly_one_picture_is_taken(product: Product, owner: Account, files: list[Any]) -> None:
    if files:
        answer = edit_form(product, owner.headers, files)
    else:
        answer = edit(product, owner.headers, b"", images=[])
    assert param(answer) == "image"
    both = edit(product, owner.headers, b"", images=[{"image_url": data_url(picture())}] * 2)
    assert param(both) == "image"
    assert product.items("GenerationsTable") == []


def test_masks_are_refused_rather_than_ignored(product: Product, owner: Account) -> None:
    """Ignored, the whole picture would be changed, and be paid for."""
    image = ("image", ("a.png", picture(), "image/png"))
    form = edit_form(product, owner.headers, [image, ("mask", ("m.png", picture(), "image/png"))])
    assert param(form) == "mask"
    answer = edit(product, owner.headers, picture(), mask={"image_url": data_url(picture())})
    assert param(answer) == "mask"
    assert product.objects("MediaBucket") == []


def test_a_model_that_starts_from_no_picture_is_refused(product: Product, owner: Account) -> None:
    custom = '[{"id": "plain", "provider": "openai", "provider_model_id": "plain", "edits": false}]'
    offer(product, ["openai"], custom)
    assert param(edit(product, owner.headers, picture(), model="plain")) == "model"
    assert sources(product) == []


@pytest.mark.promise("body-limits")
def test_a_picture_that_is_too_large_is_413_before_it_is_parsed(
    product: Product, owner: Account
) -> None:
    large = PNG + bytes(4_400_000)
    answer = edit_form(product, owner.headers, [("image", ("a.png", large, "image/png"))])
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("code", sorted(FAILURES))
def test_a_job_that_failed_is_answered_by_the_status_of_its_reason_and_costs_nothing(
    product: Product, owner: Account, code: str
) -> None:
    employ(product, Model({0: code}))
    answer = generate(product, owner.headers, seed=SEED)
    assert (answer.status, answer.json["code"]) == (CATALOGUE[code][0], code)
    assert answer.json["error"]["message"] == FAILURES[code]
    assert held(product) == (0, 0)
    assert audit(product, owner) == []


@pytest.mark.parametrize(
    "code", ["timed_out", "provider_timeout", "provider_quota", "provider_misconfigured"]
)
def test_what_a_retry_would_only_repeat_or_wait_for_once_more_is_not_retried(
    product: Product, owner: Account, code: str
) -> None:
    employ(product, Model({0: code}))
    answer = generate(product, owner.headers, seed=SEED)
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.promise("quota-org")
def test_out_of_credits_is_402_that_must_not_be_retried(product: Product, owner: Account) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    answer = generate(product, owner.headers, n=2)
    assert (answer.status, answer.json["code"]) == (402, "insufficient_credits")
    assert answer.headers["x-should-retry"] == "false"
    assert product.items("GenerationsTable") == []


@pytest.mark.promise("quota-org")
def test_a_request_beyond_the_credits_alerts_those_who_subscribed(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    product.webhook(owner, events=["quota.alert"])
    assert generate(product, owner.headers, n=2).status == 402
    (message,) = [
        each for each in product.items("WebhooksTable") if each.get("type") == "quota.alert"
    ]
    assert message["pk"] == f"ORG#{owner.org_id}"


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/images/generations", {"prompt": "x"}),
        ("POST", "/v1/images/edits", {"prompt": "x", "image_url": data_url(picture())}),
        ("GET", "/v1/images/jobs/gen_00000000000000000000000000", None),
        ("GET", "/v1/models", None),
    ],
)
def test_a_key_without_the_scope_does_none_of_it(
    product: Product, owner: Account, method: str, path: str, body: Any
) -> None:
    wanting = {"generations:read"} if path == "/v1/models" else {"generations:write"}
    key = bearer(product.key(owner, *sorted({*ALL_SCOPES} - wanting)))
    parts = {} if body is None else {"body": body}
    answer = product.call(method, path, headers=key, **parts)
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert answer.json["error"]["type"] == "permission_error"


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-2", "studio2", "x" * 200])
def test_an_unknown_model_is_missing(product: Product, owner: Account, model: str) -> None:
    answer = product.call("GET", f"/v1/models/{model}", headers=owner.headers)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert answer.json["detail"] == "There is no such model. GET /v1/models lists them."


def test_base64_that_is_cut_off_is_reported_at_its_place(product: Product, owner: Account) -> None:
    cut = base64.b64encode(picture()).decode()[:-3]
    answer = edit(
        product, owner.headers, b"", images=[{"image_url": f"data:image/png;base64,{cut}"}]
    )
    assert param(answer) == "images.0.image_url"
