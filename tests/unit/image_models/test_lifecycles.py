"""What each provider says of the end of a model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import urllib3

from dev.model_servers import GOOGLE_KEY, GOOGLE_ROOT, OPENAI_KEY, OPENAI_ROOT
from imagelayer.image_models.lifecycles import (
    BedrockLifecycles,
    GoogleLifecycles,
    OpenAiLifecycles,
    _day,
)
from imagelayer.image_models.probe import Lifecycle, LifecycleUnknown
from tests.support.provider_stubs import LIVING, MODELS, ProviderStubs

ENDS = {
    "openai": {"shutdown_date": "2026-12-01"},
    "bedrock": {"status": "LEGACY", "endOfLifeTime": "2026-12-01T00:00:00Z"},
}


def asked(providers: ProviderStubs, provider: str, **changes: Any) -> Callable[[str], Lifecycle]:
    http = urllib3.PoolManager()
    if provider == "openai":
        openai = {"base_url": f"{providers.origin}{OPENAI_ROOT}", "key": lambda: OPENAI_KEY}
        return OpenAiLifecycles(**{"http": http, **openai, **changes})
    if provider == "google":
        google = {"base_url": f"{providers.origin}{GOOGLE_ROOT}", "key": lambda: GOOGLE_KEY}
        return GoogleLifecycles(**{"http": http, **google, **changes})
    return BedrockLifecycles(lambda: providers.bedrock(5.0, "bedrock"))


@pytest.mark.parametrize("provider", LIVING)
def test_a_model_that_is_there_and_has_no_end(providers: ProviderStubs, provider: str) -> None:
    model = MODELS[LIVING[provider]].provider_model_id
    assert asked(providers, provider)(model) == Lifecycle(None, exists=True)


@pytest.mark.parametrize("provider", ENDS)
def test_an_end_that_the_provider_announces_is_read(
    providers: ProviderStubs, provider: str
) -> None:
    model = MODELS[LIVING[provider]].provider_model_id
    providers.servers.lifecycles[model] = ENDS[provider]
    assert asked(providers, provider)(model) == Lifecycle(date(2026, 12, 1))


@pytest.mark.parametrize("provider", LIVING)
def test_a_model_that_is_gone(providers: ProviderStubs, provider: str) -> None:
    model = MODELS[LIVING[provider]].provider_model_id
    providers.servers.lifecycles[model] = {"gone": True}
    assert asked(providers, provider)(model) == Lifecycle(None, exists=False)


@pytest.mark.parametrize("provider", ["openai", "google"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": lambda: "wrong"}, "HTTP 40[01]"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "provider_unavailable"),
    ],
    ids=["wrong key", "unreachable"],
)
def test_a_provider_that_does_not_say_is_not_a_model_that_is_gone(
    providers: ProviderStubs, provider: str, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(LifecycleUnknown, match=reason):
        asked(providers, provider, **changes)(MODELS[LIVING[provider]].provider_model_id)


@pytest.mark.parametrize("provider", ["openai", "google"])
def test_a_server_without_the_route_does_not_say_that_a_model_is_gone(
    providers: ProviderStubs, provider: str
) -> None:
    elsewhere = asked(providers, provider, base_url=f"{providers.origin}/elsewhere")
    with pytest.raises(LifecycleUnknown, match="HTTP 404"):
        elsewhere("gpt-image-2")


@pytest.mark.parametrize("said", ["soon", "", 7, ["2026-12-01"]])
def test_what_is_not_a_date_is_not_taken_for_no_end(said: object) -> None:
    with pytest.raises(LifecycleUnknown):
        _day(said)
