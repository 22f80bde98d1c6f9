"""What is paid for images of each provider through the deployed template, also when it filters."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.local_cloud import LocalCloud
from tests.support import openai_suites
from tests.support.cloud_organizations import Shop, new_shop
from tests.support.paid_calls import PaidCalls

MODELS = {"gpt-image-2": 8, "gemini-3.1-flash-image": 6, "stable-image-core": 4}
PROVIDERS = {"gpt-image-2": "openai", "gemini-3.1-flash-image": "google"}
MODEL = pytest.mark.parametrize("model", MODELS)


@pytest.fixture(scope="module")
def paid_calls() -> Iterator[PaidCalls]:
    """Prints how often the calls of providers were checked."""
    checked = PaidCalls()
    yield checked
    print(f"\n{checked}")


def check(paid_calls: PaidCalls, shop: Shop, prompt: str) -> None:
    """Hold the calls of the provider against what the shop pays."""
    calls = openai_suites.provider_calls(shop.cloud, prompt)
    paid_calls.check(len(calls), sum(shop.spent()), shop.jobs())


def generate(shop: Shop, model: str, prompt: str, **body: Any) -> dict[str, Any]:
    """Ask for images and wait for what comes of it."""
    answer = shop.call(
        "POST",
        "/v1/generations",
        json={"prompt": prompt, "size": "640x512", "model": model, **body},
        headers={"Prefer": "wait=25"},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.promise("quota-org", "least-privilege")
@MODEL
def test_an_image_is_made_by_the_provider_branded_and_charged_once(
    cloud: LocalCloud, paid_calls: PaidCalls, model: str
) -> None:
    shop = new_shop(cloud, with_brand=True)
    prompt = openai_suites.words("wave")["wave"]
    made = generate(shop, model, prompt, brand_id=shop.brand_id, n=2)
    assert (made["status"], made["error"], made["model"]) == ("succeeded", None, model)
    assert [(each["width"], each["height"]) for each in made["assets"]] == [(640, 512)] * 2
    assert all(each["brand_report"]["logo"] for each in made["assets"])
    calls = openai_suites.provider_calls(cloud, prompt)
    assert len(calls) == 2
    assert {each["provider"] for each in calls} == {PROVIDERS.get(model, "bedrock")}
    assert (shop.spent(), shop.broken()) == ((2 * MODELS[model], 0), [])
    check(paid_calls, shop, prompt)


@pytest.mark.promise("quota-org")
@MODEL
def test_a_picture_that_the_provider_filters_fails_as_such_and_costs_nothing(
    cloud: LocalCloud, paid_calls: PaidCalls, model: str
) -> None:
    shop = new_shop(cloud)
    prompt = openai_suites.words("bad")["bad"]
    openai_suites.script(cloud, [{"match": prompt, "failure": "filtered_output"}])
    try:
        made = generate(shop, model, prompt)
    finally:
        openai_suites.script(cloud, [])
    assert (made["status"], made["assets"]) == ("failed", [])
    assert made["error"]["code"] == "content_filtered"
    assert prompt not in made["error"]["message"]
    assert len(openai_suites.provider_calls(cloud, prompt)) == 1
    assert (shop.spent(), shop.broken()) == ((0, 0), [])
    check(paid_calls, shop, prompt)


@pytest.mark.promise("quota-org")
@MODEL
def test_of_several_images_one_that_is_filtered_is_left_out_and_free(
    cloud: LocalCloud, paid_calls: PaidCalls, model: str
) -> None:
    shop = new_shop(cloud)
    prompt = openai_suites.words("bad")["bad"]
    openai_suites.script(cloud, [{"match": prompt, "failure": "filtered", "times": 1}])
    try:
        made = generate(shop, model, prompt, n=3)
    finally:
        openai_suites.script(cloud, [])
    assert (made["status"], len(made["assets"])) == ("succeeded", 2)
    assert [each["code"] for each in made["failures"]] == ["content_filtered"]
    assert (made["credits"], shop.spent()) == (2 * MODELS[model], (2 * MODELS[model], 0))
    check(paid_calls, shop, prompt)


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("stop", ["cancel", "delete"])
@MODEL
def test_who_stops_a_job_that_its_provider_works_on_pays_for_it(
    cloud: LocalCloud, paid_calls: PaidCalls, model: str, stop: str
) -> None:
    shop = new_shop(cloud)
    prompt = openai_suites.words("slow")["slow"]
    openai_suites.script(cloud, [{"match": prompt, "failure": "slow", "seconds": 5}])
    body = {"prompt": prompt, "size": "640x512", "model": model, "n": 2}
    try:
        made = shop.call("POST", "/v1/generations", json=body).json()
        path = f"/v1/generations/{made['id']}"
        deadline = time.monotonic() + 20
        while not openai_suites.provider_calls(cloud, prompt):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        if stop == "cancel":
            answer = shop.call("POST", f"{path}/cancel")
            assert (answer.status_code, answer.json()["credits"]) == (200, 2 * MODELS[model])
        else:
            assert shop.call("DELETE", path).status_code == 204
    finally:
        openai_suites.script(cloud, [])
    assert shop.spent() == (2 * MODELS[model], 0)
    assert shop.counted() == 2
    check(paid_calls, shop, prompt)


@pytest.mark.promise("quota-org")
@MODEL
def test_words_that_do_not_fit_reach_no_provider(
    cloud: LocalCloud, paid_calls: PaidCalls, model: str
) -> None:
    shop = new_shop(cloud)
    prompt = openai_suites.words("wide")["wide"]
    text = {"headline": "W" * 120, "subhead": "W" * 200}
    made = generate(shop, model, prompt, size="256x256", n=4, text=text)
    assert made["error"]["code"] == "text_does_not_fit"
    assert openai_suites.provider_calls(cloud, prompt) == []
    assert shop.spent() == (0, 0)
    check(paid_calls, shop, prompt)
