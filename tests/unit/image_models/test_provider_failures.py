"""Each failure of a provider has one of our codes, and is retried only where that is free."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dev.model_servers import FAILURES as SCRIPTED
from imagelayer.image_models.calls import RETRIES, Attempts, NothingDone, retry_after
from imagelayer.image_models.image_model import FAILURES, GenerationRefused
from tests.support.provider_stubs import LIVING, ProviderStubs, order

AGAIN = RETRIES + 1
# What the provider does -> our code, and how often it is asked.
EVERYWHERE: dict[str, tuple[str, int]] = {
    "filtered": ("content_filtered", 1),
    "filtered_output": ("content_filtered", 1),
    "rate_limited": ("provider_rate_limited", AGAIN),
    "quota": ("provider_quota", 1),
    "bad_key": ("provider_misconfigured", 1),
    "forbidden": ("provider_misconfigured", 1),
    "model_gone": ("model_unavailable", 1),
    "bad_request": ("provider_rejected", 1),
    "server_error": ("provider_unavailable", 1),
    "unavailable": ("provider_unavailable", AGAIN),
    "bad_gateway": ("provider_unavailable", 1),
    "drop": ("provider_unavailable", 1),
    "drop_midway": ("provider_unavailable", 1),
    "web_page": ("provider_bad_image", 1),
    "no_picture": ("provider_bad_image", 1),
    "bad_base64": ("provider_bad_image", 1),
    "truncated": ("provider_bad_image", 1),
    "other_format": ("provider_bad_image", 1),
    "animated": ("provider_bad_image", 1),
    "too_many_pixels": ("provider_bad_image", 1),
    "oversized": ("provider_bad_image", 1),
}
OWN: dict[str, dict[str, tuple[str, int]]] = {
    "openai": {
        "no_billing": ("provider_quota", 1),
        "gateway_timeout": ("provider_timeout", 1),
        "redirect": ("provider_bad_image", 1),
        "foreign_link": ("provider_bad_image", 1),
    },
    "google": {
        "no_billing": ("provider_misconfigured", 1),
        "gateway_timeout": ("provider_timeout", 1),
        "redirect": ("provider_rejected", 1),
        "words_only": ("content_filtered", 1),
        "no_picture": ("provider_rejected", 1),
    },
    "bedrock": {
        "gateway_timeout": ("provider_timeout", 1),
        "inference_error": ("provider_unavailable", 1),
        "model_error": ("provider_unavailable", 1),
        "not_ready": ("provider_unavailable", AGAIN),
        "timeout_of_the_model": ("provider_timeout", 1),
    },
}
TABLE = [
    (provider, failure, *expected)
    for provider, own in OWN.items()
    for failure, expected in {**EVERYWHERE, **own}.items()
]


@pytest.mark.parametrize(("provider", "failure", "code", "asked"), TABLE)
def test_a_failure_has_one_code_and_is_retried_only_if_nothing_was_done(
    providers: ProviderStubs, provider: str, failure: str, code: str, asked: int
) -> None:
    providers.fail(failure)
    with pytest.raises(GenerationRefused) as refused:
        providers.adapter(provider).generate(order(LIVING[provider]))
    assert refused.value.code == code
    assert len(providers.calls) == asked
    assert len(providers.pauses) == asked - 1
    assert providers.watched == [{"code": code, "model": LIVING[provider], "provider": provider}]


def test_an_sdk_left_to_its_own_retries_would_pay_twice(providers: ProviderStubs) -> None:
    """The control: the same failure, with botocore's retries left on."""

    def eager(seconds: float) -> Any:
        return providers.bedrock(seconds, attempts=2)

    providers.fail("server_error")
    with pytest.raises(GenerationRefused):
        providers.adapter("bedrock", client=eager).generate(order(LIVING["bedrock"]))
    assert len(providers.calls) == 2 > EVERYWHERE["server_error"][1]


def test_every_failure_the_providers_can_play_is_in_the_table() -> None:
    elsewhere = {"slow", "slow_body", "link", "draft", "noise"}
    assert {failure for _, failure, *_ in TABLE} == set(SCRIPTED) - elsewhere


def test_every_code_of_a_provider_is_reached() -> None:
    ours = {code for code in FAILURES if code.startswith("provider_")}
    assert ours <= {code for *_, code, _ in TABLE}


@pytest.mark.parametrize("provider", LIVING)
@pytest.mark.parametrize("failure", ["rate_limited", "unavailable"])
def test_a_provider_that_recovers_is_asked_until_it_does(
    providers: ProviderStubs, provider: str, failure: str
) -> None:
    providers.fail(failure, times=RETRIES)
    picture = providers.adapter(provider).generate(order(LIVING[provider]))
    assert picture.size == (512, 512)
    assert len(providers.calls) == AGAIN
    assert providers.watched == []


@pytest.mark.parametrize("provider", LIVING)
@pytest.mark.parametrize("failure", ["slow", "slow_body"])
def test_a_provider_that_is_too_slow_is_left_at_the_deadline_and_not_asked_again(
    providers: ProviderStubs, provider: str, failure: str
) -> None:
    providers.fail(failure, seconds=12)
    began = time.time()
    with pytest.raises(GenerationRefused) as refused:
        providers.adapter(provider).generate(order(LIVING[provider], deadline=began + 0.6))
    assert refused.value.code == "provider_timeout"
    assert time.time() - began < 11.5  # the answer comes after 12
    assert len(providers.calls) == 1


@pytest.mark.parametrize("provider", ["openai", "google"])
def test_a_provider_that_cannot_be_reached_is_tried_again(
    providers: ProviderStubs, provider: str
) -> None:
    adapter = providers.adapter(provider, base_url="http://127.0.0.1:1/v1")
    with pytest.raises(GenerationRefused) as refused:
        adapter.generate(order(LIVING[provider]))
    assert refused.value.code == "provider_unavailable"
    assert len(providers.pauses) == RETRIES


@pytest.mark.promise("no-training", "errors-sanitized")
@pytest.mark.parametrize(("provider", "failure", "code", "asked"), TABLE)
def test_nothing_of_the_providers_words_the_key_or_the_prompt_is_reported(
    providers: ProviderStubs, provider: str, failure: str, code: str, asked: int
) -> None:
    providers.fail(failure)
    with pytest.raises(GenerationRefused) as refused:
        providers.adapter(provider).generate(order(LIVING[provider], prompt="a secret launch"))
    told = json.dumps([str(refused.value), refused.value.message, providers.watched])
    assert refused.value.message == FAILURES[code]
    for word in ("secret launch", "sk-local", "local-google", "http", "127.0.0.1", "quota,"):
        assert word not in told
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@dataclass
class Time:
    """A clock that its own pauses move."""

    now: float = 1000.0
    pauses: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def refused_after(
    time: Time, ask: Callable[[float], Any], *, seconds: float = 180, draw: float = 0.0
) -> str:
    attempts = Attempts(time.clock, time.sleep, lambda: draw)
    with pytest.raises(GenerationRefused) as refused:
        attempts.make(order("gpt-image-2", deadline=time.now + seconds), ask)
    return refused.value.code


def never(left: float) -> None:
    raise NothingDone("provider_rate_limited")


def test_pauses_grow_and_are_spread() -> None:
    early, late = Time(), Time()
    refused_after(early, never, draw=0.0)
    refused_after(late, never, draw=1.0)
    assert early.pauses == [0.5, 1.0]
    assert late.pauses == [1.0, 2.0]


def test_a_provider_that_names_a_pause_gets_it() -> None:
    def ask(left: float) -> None:
        raise NothingDone("provider_rate_limited", 20.0)

    time = Time()
    assert refused_after(time, ask) == "provider_rate_limited"
    assert time.pauses == [20.0, 20.0]


@pytest.mark.parametrize("pause", [31.0, 3600.0, float("inf")])
def test_a_pause_that_leads_past_the_deadline_is_not_made(pause: float) -> None:
    def ask(left: float) -> None:
        raise NothingDone("provider_rate_limited", pause)

    time = Time()
    assert refused_after(time, ask, seconds=30) == "provider_rate_limited"
    assert time.pauses == []


def test_each_attempt_is_given_only_what_is_left() -> None:
    lefts: list[float] = []

    def ask(left: float) -> None:
        lefts.append(left)
        raise NothingDone("provider_unavailable")

    refused_after(Time(), ask, seconds=100)
    assert lefts == [100.0, 99.5, 98.5]


def test_an_order_that_is_late_already_is_not_sent() -> None:
    assert refused_after(Time(), never, seconds=0) == "provider_timeout"


def test_a_refusal_ends_it_at_once() -> None:
    asked: list[float] = []

    def ask(left: float) -> None:
        asked.append(left)
        raise GenerationRefused("provider_timeout")

    assert refused_after(Time(), ask) == "provider_timeout"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "300", "retry-after": "7"}, 0.3),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 25 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 25 Nov 2020 12:00:30 GMT"}, 0.0),
        ({"retry-after": "tomorrow"}, None),
    ],
)
def test_a_providers_pause_is_read_in_each_of_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, 1795608000.0) == seconds
