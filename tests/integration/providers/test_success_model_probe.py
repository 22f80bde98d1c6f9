"""A model's end is reported 30, 7 and 1 days ahead, from the source that knows it first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from imagelayer.image_models.probe import Lifecycle, LifecycleUnknown, ModelProbe
from imagelayer.image_models.registry import Model, Registry, known
from tests.support.product import Product
from tests.support.provider_stubs import ProviderStubs, set_keys

METRIC = "ModelShutdownNear"
QUIET = date(2026, 6, 1)  # nothing we know of ends within a month of it
ENDING = "gpt-image-1.5"  # on 2026-12-01, as the registry says
STABLE = "stability.stable-image-core-v1:1"


def probe(
    product: Product, monkeypatch: pytest.MonkeyPatch, today: date
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Run the function on a day; what it reports, and the warnings in its log."""
    at = datetime(today.year, today.month, today.day, 6, tzinfo=UTC).timestamp()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: at)
        reported: dict[str, int] = product.invoke("model_probe", {})
    lines = [line for line in product.logs() if str(line.get("message")).startswith("model_")]
    return reported, lines


def counted(product: Product) -> int:
    return sum(METRIC in line for line in product.logs() if "_aws" in line)


def test_a_quiet_day_warns_of_nothing(
    product: Product, providers: ProviderStubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gone_by_now in ("gpt-image-1", "gemini-2.5-flash-image"):
        providers.servers.lifecycles[gone_by_now] = {"gone": False, "shutdown_date": None}
    reported, lines = probe(product, monkeypatch, QUIET)
    assert reported == {"models": len(known()) - 1, "warnings": 0, "unknown": 0}
    assert lines == []
    assert counted(product) == 0


@pytest.mark.parametrize("days", [30, 7, 1, 0])
def test_an_end_in_the_registry_is_reported_ahead(
    product: Product, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    _, lines = probe(product, monkeypatch, date(2026, 12, 1) - timedelta(days=days))
    (line,) = [each for each in lines if each["model"] == ENDING]
    assert line["level"] == "WARNING"
    assert line["message"] == "model_shutdown_near"
    told = {name: line[name] for name in ("days", "date", "replacement", "source", "provider")}
    assert told == {
        "days": days,
        "date": "2026-12-01",
        "replacement": "gpt-image-2",
        "source": "registry",
        "provider": "openai",
    }
    assert counted(product) >= 1


@pytest.mark.parametrize("days", [31, 29, 8, 6, 2, -1, -30])
def test_on_other_days_it_is_not(
    product: Product, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """So that an alarm has cleared by the next warning; and what is over is offered no more."""
    _, lines = probe(product, monkeypatch, date(2026, 12, 1) - timedelta(days=days))
    assert [each for each in lines if each["model"] == ENDING] == []


@pytest.mark.parametrize(
    ("provider_model_id", "model", "said"),
    [
        ("gpt-image-2", "gpt-image-2", {"shutdown_date": "2027-03-01"}),
        (
            STABLE,
            "stable-image-core",
            {"status": "LEGACY", "endOfLifeTime": "2027-03-01T00:00:00Z"},
        ),
    ],
)
@pytest.mark.parametrize("days", [400, 90, 15, 1, 0, -5])
def test_an_end_that_only_the_provider_knows_is_reported_every_day(
    product: Product,
    providers: ProviderStubs,
    monkeypatch: pytest.MonkeyPatch,
    provider_model_id: str,
    model: str,
    said: dict[str, Any],
    days: int,
) -> None:
    providers.servers.lifecycles[provider_model_id] = said
    _, lines = probe(product, monkeypatch, date(2027, 3, 1) - timedelta(days=days))
    (line,) = [each for each in lines if each["model"] == model]
    assert line["message"] == "model_shutdown_not_in_registry"
    assert (line["days"], line["date"], line["source"]) == (days, "2027-03-01", "provider")


@pytest.mark.parametrize(
    ("provider_model_id", "model"),
    [
        ("gpt-image-2", "gpt-image-2"),
        ("gemini-3-pro-image", "gemini-3-pro-image"),
        (STABLE, "stable-image-core"),
    ],
)
def test_a_model_that_has_vanished_is_reported(
    product: Product,
    providers: ProviderStubs,
    monkeypatch: pytest.MonkeyPatch,
    provider_model_id: str,
    model: str,
) -> None:
    providers.servers.lifecycles[provider_model_id] = {"gone": True}
    _, lines = probe(product, monkeypatch, date(2027, 1, 15))
    (line,) = [each for each in lines if each["model"] == model]
    assert (line["message"], line["source"]) == ("model_is_gone", "provider")
    assert counted(product) == 1


def test_a_provider_that_fails_is_reported_and_the_others_are_asked_all_the_same(
    product: Product, providers: ProviderStubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(product, openai="revoked", google="revoked")
    providers.servers.lifecycles[STABLE] = {"gone": True}
    reported, lines = probe(product, monkeypatch, date(2027, 1, 15))
    unknown = [each for each in lines if each["message"] == "model_lifecycle_unknown"]
    assert {each["provider"] for each in unknown} == {"openai", "google"}
    assert {each["reason"] for each in unknown} == {"HTTP 401", "HTTP 400"}
    assert reported["unknown"] == len(unknown)
    assert [each["model"] for each in lines if each["message"] == "model_is_gone"] == [
        "stable-image-core"
    ]
    assert "revoked" not in json.dumps(lines)


def test_an_end_that_the_registry_knows_is_reported_though_the_provider_is_silent(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(product, openai="revoked", google="revoked")
    _, lines = probe(product, monkeypatch, date(2026, 11, 24))
    told = {each["message"] for each in lines if each["model"] == ENDING}
    assert told == {"model_lifecycle_unknown", "model_shutdown_near"}


def test_a_provider_that_is_off_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Product() as plain:
        reported, lines = probe(plain, monkeypatch, date(2026, 11, 24))
    assert reported == {"models": 0, "warnings": 0, "unknown": 0}
    assert lines == []


def warnings_over(days: int, probe_of: Callable[[Registry], ModelProbe]) -> list[int]:
    """On which days before its end a model that has one is reported."""
    model = Model(id="m", provider="openai", provider_model_id="m", shutdown_date=date(2027, 6, 1))
    registry = Registry({"m": model}, frozenset({"openai"}))
    end = datetime(2027, 6, 1, tzinfo=UTC)
    return [
        ahead
        for ahead in range(days, -days, -1)
        if probe_of(registry).probe((end - timedelta(days=ahead)).timestamp())["warnings"]
    ]


def test_a_year_of_days_holds_just_the_announced_warnings() -> None:
    def careful(registry: Registry) -> ModelProbe:
        same = Lifecycle(date(2027, 6, 1))
        return ModelProbe(registry, {"openai": lambda _: same}, lambda *_: None, lambda _: None)

    def deaf(registry: Registry) -> ModelProbe:
        def silent(_: str) -> Lifecycle:
            raise LifecycleUnknown("HTTP 500")

        return ModelProbe(registry, {"openai": silent}, lambda *_: None, lambda _: None)

    def blind(registry: Registry) -> ModelProbe:
        return ModelProbe(registry, {}, lambda *_: None, lambda _: None)

    assert warnings_over(365, careful) == [30, 7, 1, 0]
    assert warnings_over(365, deaf) == [30, 7, 1, 0]
    assert warnings_over(365, blind) == []  # the control
