"""What programs do with the `openai` client of Python, whichever major: one case a line.

Run by the tests beside it in an environment that has nothing but the client. What it is to work
with comes as JSON in `GIVEN`; each case prints `{"case", "ok", "error"}`, and the last line
`{"paid"}` names the generations it was answered with and their credits.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import struct
import sys
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI

GIVEN: dict[str, Any] = json.loads(os.environ["GIVEN"])
PICTURE = Path(GIVEN["picture"])
CASES: dict[str, Callable[[], None]] = {}
PAID: dict[str, int] = {}
SMALL = "256x256"


def case(does: Callable[[], None]) -> Callable[[], None]:
    """A case, by the name of its function."""
    CASES[does.__name__] = does
    return does


def client(key: str = "live", **options: Any) -> OpenAI:
    """A client as its documentation makes one, but for the address."""
    sent = {"base_url": GIVEN["base_url"], "api_key": GIVEN["keys"].get(key, key), **options}
    return OpenAI(**sent)


def noted(response: Any) -> Any:
    """Remember what was paid for."""
    PAID[response.generation_id] = response.credits
    return response


def generate(using: OpenAI | None = None, **wanted: Any) -> Any:
    """Small images of a prompt."""
    fields = {"prompt": "warm waves", "size": SMALL, **wanted}
    return noted((using or client()).images.generate(**fields))


def png_size(data: bytes) -> str:
    """The size in a PNG's header."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    return "{}x{}".format(*struct.unpack(">II", data[16:24]))


def fetched(url: str) -> bytes:
    """What lies behind a link."""
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - a link we were given
        return bytes(answer.read())


def error_of(kind: type[openai.APIStatusError], act: Callable[[], object]) -> Any:
    """The error that a call raises, of exactly this class."""
    try:
        act()
    except openai.APIStatusError as error:
        if type(error) is not kind:
            raise
        return error
    raise AssertionError("it was not refused")


def refused(kind: type[openai.APIStatusError], status: int, code: str, **how: Any) -> Any:
    """The error of a refused request, checked as a program would read it."""
    using = how.pop("using", None) or client()
    fields = {"prompt": "warm waves", "size": SMALL, **how}
    error = error_of(kind, lambda: using.images.generate(**fields))
    assert (error.status_code, error.code) == (status, code), (error.status_code, error.code)
    assert error.request_id
    assert error.response.headers["x-request-id"] == error.request_id
    assert error.message
    assert "Traceback" not in str(error)
    return error


@case
def url() -> None:
    image = generate(response_format="url").data[0]
    assert image.b64_json is None
    assert png_size(fetched(image.url)) == SMALL


@case
def b64_json() -> None:
    image = generate(response_format="b64_json", size="320x256").data[0]
    assert image.url is None
    assert png_size(base64.b64decode(image.b64_json, validate=True)) == "320x256"


@case
def both_by_default() -> None:
    image = generate().data[0]
    assert fetched(image.url) == base64.b64decode(image.b64_json)


@case
def more_than_a_response_holds() -> None:
    """Two pictures of noise have 8.4 MB in base64; `data` may be read by both names."""
    noise = {"model": GIVEN["model"], "prompt": GIVEN["noisy"], "n": 2, "size": "1024x1024"}
    response = generate(**noise)
    sizes = {png_size(base64.b64decode(image.b64_json)) for image in response.data}
    assert (len(response.data), sizes, response.credits) == (2, {"1024x1024"}, 16)
    assert fetched(response.data[1].url) == base64.b64decode(response.data[1].b64_json)
    events = list(client().images.generate(**noise, stream=True))
    assert [png_size(base64.b64decode(event.b64_json)) for event in events] == ["1024x1024"] * 2
    noted(events[0])


@case
def several_images() -> None:
    response = generate(n=2, response_format="b64_json")
    assert len({image.b64_json for image in response.data}) == 2


@case
def size_auto() -> None:
    response = generate(size="auto", response_format="url")
    assert response.size == png_size(fetched(response.data[0].url)) == "1024x1024"


@case
def quality_style_and_user_are_taken() -> None:
    response = generate(quality="hd", style="vivid", moderation="low", user="user-1")
    assert response.data[0].url


@case
def output_formats() -> None:
    for name, starts in (("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF"), ("avif", b"\x00\x00\x00")):
        response = generate(output_format=name, output_compression=60)
        data = base64.b64decode(response.data[0].b64_json)
        assert data.startswith(starts), (name, data[:12])
        assert response.output_format == name
        if name != "jpeg":
            assert data[8:12] in {b"WEBP", b"avif"}


@case
def background_opaque() -> None:
    assert generate(background="opaque").background == "opaque"


@case
def unknown_fields_are_ignored() -> None:
    assert generate(extra_body={"a_field_of_the_future": {"x": [1]}}).data[0].url


@case
def answers_carry_more_than_openais() -> None:
    response = generate()
    assert response.generation_id.startswith("gen_")
    assert response.data[0].asset_id.startswith("ast_")
    assert (response.credits, response.data[0].brand_report["passed"]) == (1, True)
    assert response.created > time.time() - 600


@case
def brand_id_through_extra_body() -> None:
    response = generate(size="640x640", extra_body={"brand_id": GIVEN["brand_id"]})
    assert (response.brand_id, response.brand_version) == (GIVEN["brand_id"], 1)
    assert response.data[0].brand_report["logo"] is not None


@case
def text_through_extra_body() -> None:
    words = {"headline": "Grüße, مرحبا", "cta": "Start"}
    response = generate(
        size="640x640", extra_body={"brand_id": GIVEN["brand_id"], "text": words, "seed": 7}
    )
    report = response.data[0].brand_report
    assert report["texts"], report
    assert response.data[0].seed == 7


@case
def template_through_extra_body() -> None:
    template = {"type": "quote", "quote": "Make it so", "author": "Jean-Luc"}
    response = generate(size="640x640", extra_body={"template": template})
    assert response.data[0].brand_report["texts"]


@case
def preset_through_extra_body() -> None:
    response = noted(
        client().images.generate(
            prompt="warm waves", response_format="url", extra_body={"preset": "open-graph"}
        )
    )
    assert response.size == png_size(fetched(response.data[0].url)) == "1200x630"


@case
def edit_with_a_file() -> None:
    with PICTURE.open("rb") as file:
        response = noted(client().images.edit(image=file, prompt="as it is"))
    data = base64.b64decode(response.data[0].b64_json)
    assert png_size(data) == response.size == png_size(PICTURE.read_bytes())


@case
def edit_with_a_list() -> None:
    response = noted(
        client().images.edit(
            image=[("photo.png", PICTURE.read_bytes(), "image/png")],
            prompt="as it is",
            n=2,
            size="512x512",
            output_format="jpeg",
            response_format="b64_json",
            extra_body={
                "brand_id": GIVEN["brand_id"],
                "text": {"headline": "Branded"},
                "apply_brand_guidelines": False,
            },
        )
    )
    for image in response.data:
        assert base64.b64decode(image.b64_json).startswith(b"\xff\xd8\xff")
        assert image.brand_report["logo"] is not None
        assert image.brand_report["texts"]
    assert (len(response.data), response.size) == (2, "512x512")


@case
def edit_with_two_pictures_or_a_mask_is_refused() -> None:
    data = PICTURE.read_bytes()
    edit = client().images.edit
    kind = openai.UnprocessableEntityError
    error = error_of(kind, lambda: edit(prompt="as it is", image=[data, data]))
    assert error.param == "image"
    error = error_of(kind, lambda: edit(prompt="as it is", image=data, mask=data))
    assert error.param == "mask"


@case
def edit_of_what_is_no_picture_is_refused() -> None:
    image = io.BytesIO(b"no picture")
    edit = client().images.edit
    error = error_of(openai.UnprocessableEntityError, lambda: edit(image=image, prompt="as it is"))
    assert error.param == "image"


@case
def filtered_is_bad_request() -> None:
    refused(
        openai.BadRequestError, 400, "content_filtered", model=GIVEN["model"], prompt=GIVEN["bad"]
    )


@case
def a_wrong_key_is_authentication() -> None:
    error = refused(openai.AuthenticationError, 401, "unauthenticated", using=client("sk-wrong"))
    assert error.type == "authentication_error"


@case
def a_missing_scope_is_permission_denied() -> None:
    error = refused(openai.PermissionDeniedError, 403, "insufficient_scope", using=client("reader"))
    assert error.type == "permission_error"


@case
def an_unknown_model_is_not_found() -> None:
    error = error_of(openai.NotFoundError, lambda: client().models.retrieve("dall-e-3"))
    assert (error.code, bool(error.request_id)) == ("not_found", True)


@case
def another_organizations_brand_is_not_found() -> None:
    foreign = {"brand_id": GIVEN["foreign_brand_id"]}
    refused(openai.NotFoundError, 404, "not_found", extra_body=foreign)


@case
def a_broken_rule_is_unprocessable() -> None:
    error = refused(openai.UnprocessableEntityError, 422, "validation_failed", n=9)
    assert error.param == "n"
    error = refused(
        openai.UnprocessableEntityError, 422, "validation_failed", background="transparent"
    )
    assert error.param == "background"


@case
def a_dead_model_is_unprocessable_and_names_another() -> None:
    error = refused(openai.UnprocessableEntityError, 422, "model_shut_down", model="gpt-image-1")
    assert (error.param, "gpt-image-2" in error.message) == ("model", True)


@case
def a_limit_is_rate_limit_with_its_wait() -> None:
    using = client("limited", max_retries=0)
    error = refused(openai.RateLimitError, 429, "rate_limited", using=using)
    assert int(error.response.headers["retry-after"]) >= 1
    assert error.type == "rate_limit_error"


@case
def a_limit_is_waited_for_by_the_client() -> None:
    began = time.monotonic()
    assert generate(client("briefly_limited", max_retries=4)).data[0].url
    assert time.monotonic() - began > 0.5


@case
def out_of_credits_is_402_and_is_not_retried() -> None:
    """The test counts the refusals."""
    error = refused(openai.APIStatusError, 402, "insufficient_credits", using=client("broke"))
    assert error.response.headers["x-should-retry"] == "false"
    assert error.type == "insufficient_quota"


@case
def a_providers_failure_is_internal_server_error_after_the_clients_retries() -> None:
    refused(
        openai.InternalServerError,
        503,
        "provider_unavailable",
        model=GIVEN["model"],
        prompt=GIVEN["failing"],
    )


@case
def what_a_retry_cannot_help_is_not_retried() -> None:
    """`x-should-retry: false` on a 5xx: the test counts the provider's calls."""
    refused(
        openai.InternalServerError,
        502,
        "provider_quota",
        model=GIVEN["model"],
        prompt=GIVEN["exhausted"],
    )


@case
def request_ids() -> None:
    first, second = generate(), generate()
    assert first._request_id
    assert first._request_id != second._request_id


@case
def raw_responses() -> None:
    raw = client().images.with_raw_response.generate(prompt="warm waves", size=SMALL)
    assert raw.headers["x-request-id"] == raw.request_id
    assert raw.headers["ratelimit"].startswith('"generation-create"')
    assert (raw.status_code, raw.headers["cache-control"]) == (200, "no-store")
    assert noted(raw.parse()).data[0].url


@case
def a_stream_of_generations() -> None:
    stream = client().images.generate(
        prompt="warm waves", size=SMALL, n=2, stream=True, partial_images=2
    )
    events = list(stream)
    assert [event.type for event in events] == ["image_generation.completed"] * 2
    for event in events:
        assert png_size(base64.b64decode(event.b64_json)) == event.size == SMALL
        noted(event)


@case
def a_stream_of_edits() -> None:
    stream = client().images.edit(image=PICTURE.read_bytes(), prompt="as it is", stream=True)
    events = [noted(event) for event in stream]
    assert [event.type for event in events] == ["image_edit.completed"]


@case
def a_stream_that_is_refused_raises() -> None:
    refused(openai.UnprocessableEntityError, 422, "validation_failed", stream=True, n=9)


@case
def models_list() -> None:
    models = {model.id: model for model in client().models.list()}
    assert {"studio", GIVEN["model"]} <= set(models)
    assert "gpt-image-1" not in models  # shut down
    assert {model.object for model in models.values()} == {"model"}


@case
def models_retrieve() -> None:
    model = client().models.retrieve("studio")
    assert (model.id, model.object, model.owned_by) == ("studio", "model", "studio")


@case
def a_providers_model() -> None:
    response = generate(model=GIVEN["model"], prompt="a provider's waves", size="640x512")
    assert (response.credits, response.size) == (8, "640x512")
    assert png_size(base64.b64decode(response.data[0].b64_json)) == "640x512"


@case
def a_test_key_is_free() -> None:
    response = generate(client("test"), model=GIVEN["model"])
    assert (response.credits, bool(response.data[0].url)) == (0, True)


@case
def an_idempotency_key_makes_one() -> None:
    headers = {"Idempotency-Key": f"order-{os.getpid()}"}
    answers = [generate(extra_headers=headers) for _ in range(2)]
    assert answers[0].generation_id == answers[1].generation_id
    assert answers[0].data[0].asset_id == answers[1].data[0].asset_id


@case
def two_calls_make_two() -> None:
    assert generate().generation_id != generate().generation_id


@case
def a_lost_answer_is_charged_once() -> None:
    """The test counts jobs: whatever carried the first answer broke on the way."""
    assert generate(client(base_url=GIVEN["lossy_url"]), prompt=GIVEN["lost"]).data[0].url


@case
def a_write_whose_answer_was_lost_is_charged_once() -> None:
    """The job was accepted, but the function never learned it and answered 503."""
    using = client(default_headers={"x-local-trace": GIVEN["trace"]})
    assert generate(using, prompt=GIVEN["traced"]).data[0].url


@case
def an_impatient_client_is_charged_once() -> None:
    """It hangs up and asks again until the provider is done."""
    using = client(timeout=2.0, max_retries=8)
    assert generate(using, model=GIVEN["model"], prompt=GIVEN["slow"]).data[0].url


@case
def a_slow_model() -> None:
    """Slower than the gateway lets a request live; the client's own defaults wait long enough."""
    response = generate(model=GIVEN["model"], prompt=GIVEN["slow"], response_format="b64_json")
    assert png_size(base64.b64decode(response.data[0].b64_json)) == SMALL


@case
def a_slow_edit() -> None:
    response = noted(
        client().images.edit(
            image=PICTURE.read_bytes(), prompt=GIVEN["slow"], model=GIVEN["model"], size=SMALL
        )
    )
    assert png_size(base64.b64decode(response.data[0].b64_json)) == SMALL


@case
def the_async_client() -> None:
    async def many() -> list[Any]:
        options = {"base_url": GIVEN["base_url"], "api_key": GIVEN["keys"]["live"]}
        async with AsyncOpenAI(**options) as using:
            calls = [
                using.images.generate(prompt=f"wave {number}", size=SMALL) for number in range(3)
            ]
            made = [noted(response) for response in await asyncio.gather(*calls)]
            stream = await using.images.generate(prompt="waves", size=SMALL, stream=True)
            made += [noted(event) async for event in stream]
            return made

    assert len({each.generation_id for each in asyncio.run(many())}) == 4


def main() -> None:
    """Run the cases, each in a thread that may not hang; those that were asked for, or all."""
    for name in GIVEN.get("cases") or CASES:
        told: dict[str, Any] = {"case": name, "ok": False, "error": "it did not end"}
        began = time.monotonic()

        def run(name: str = name, told: dict[str, Any] = told) -> None:
            try:
                CASES[name]()
                told |= {"ok": True, "error": ""}
            except BaseException:  # noqa: BLE001 - told, not raised
                told["error"] = traceback.format_exc(limit=6)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(GIVEN.get("seconds", 90))
        told["seconds"] = round(time.monotonic() - began, 1)
        print(json.dumps(told), flush=True)
    print(json.dumps({"paid": PAID, "version": openai.__version__}), flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
