"""What each vendor says of the end of a model."""

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
from tests.support.provider_stubs import LIVING, MODELS, Vendors

ENDS = {
    "openai": {"shutdown_date": "2026-12-01"},
    "bedrock": {"status": "LEGACY", "endOfLifeTime": "2026-12-01T00:00:00Z"},
}


def asked(vendors: Vendors, vendor: str, **changes: Any) -> Callable[[str], Lifecycle]:
    http = urllib3.PoolManager()
    if vendor == "openai":
        openai = {"base_url": f"{vendors.origin}{OPENAI_ROOT}", "key": lambda: OPENAI_KEY}
        return OpenAiLifecycles(**{"http": http, **openai, **changes})
    if vendor == "google":
        google = {"base_url": f"{vendors.origin}{GOOGLE_ROOT}", "key": lambda: GOOGLE_KEY}
        return GoogleLifecycles(**{"http": http, **google, **changes})
    return BedrockLifecycles(lambda: vendors.bedrock(5.0, "bedrock"))


@pytest.mark.parametrize("vendor", LIVING)
def test_a_model_that_is_there_and_has_no_end(vendors: Vendors, vendor: str) -> None:
    model = MODELS[LIVING[vendor]].vendor_id
    assert asked(vendors, vendor)(model) == Lifecycle(None, exists=True)


@pytest.mark.parametrize("vendor", ENDS)
def test_an_end_that_the_vendor_announces_is_read(vendors: Vendors, vendor: str) -> None:
    model = MODELS[LIVING[vendor]].vendor_id
    vendors.servers.lifecycles[model] = ENDS[vendor]
    assert asked(vendors, vendor)(model) == Lifecycle(date(2026, 12, 1))


@pytest.mark.parametrize("vendor", LIVING)
def test_a_model_that_is_gone(vendors: Vendors, vendor: str) -> None:
    model = MODELS[LIVING[vendor]].vendor_id
    vendors.servers.lifecycles[model] = {"gone": True}
    assert asked(vendors, vendor)(model) == Lifecycle(None, exists=False)


@pytest.mark.parametrize("vendor", ["openai", "google"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": lambda: "wrong"}, "HTTP 40[01]"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "provider_unavailable"),
    ],
    ids=["wrong key", "unreachable"],
)
def test_a_vendor_that_does_not_say_is_not_a_model_that_is_gone(
    vendors: Vendors, vendor: str, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(LifecycleUnknown, match=reason):
        asked(vendors, vendor, **changes)(MODELS[LIVING[vendor]].vendor_id)


@pytest.mark.parametrize("vendor", ["openai", "google"])
def test_a_server_without_the_route_does_not_say_that_a_model_is_gone(
    vendors: Vendors, vendor: str
) -> None:
    elsewhere = asked(vendors, vendor, base_url=f"{vendors.origin}/elsewhere")
    with pytest.raises(LifecycleUnknown, match="HTTP 404"):
        elsewhere("gpt-image-2")


@pytest.mark.parametrize("said", ["soon", "", 7, ["2026-12-01"]])
def test_what_is_not_a_date_is_not_taken_for_no_end(said: object) -> None:
    with pytest.raises(LifecycleUnknown):
        _day(said)
