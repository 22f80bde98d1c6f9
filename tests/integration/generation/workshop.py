"""Workers whose models do as a test says, and requests that wait while something happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from imagelayer.generation_worker import GenerationWorker
from imagelayer.models import registry
from imagelayer.providers.models import GenerationRefused, ImageModel, Order
from imagelayer.providers.studio import Studio
from tests.support.product import Product

SEED = 100  # of the first image, where a test tells images apart by their seeds


@dataclass
class Model:
    """A model that paints, but refuses what it is told to, by the image's number in its job."""

    refuses: Mapping[int, str] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def generate(self, order: Order) -> Any:
        """Paint, or raise GenerationRefused."""
        self.orders.append(order)
        code = self.refuses.get(order.seed - SEED)
        if code is not None:
            raise GenerationRefused(code)
        return Studio().generate(order)


def employ(product: Product, model: ImageModel, provider: str = "studio") -> None:
    """Let the worker have a provider of the test's."""
    wiring = product.wiring("generation_worker")
    worker: GenerationWorker = wiring.generation_worker
    providers = {**worker.providers, provider: model}
    vars(wiring)["generation_worker"] = replace(worker, providers=providers, models=wiring.models)


def offer(product: Product, providers: Iterable[str], custom: str = "") -> None:
    """Let these providers be set up, and these models be known beside ours."""
    for function in ("generation", "images", "generation_worker"):
        vars(product.wiring(function))["models"] = registry(providers, custom)


def while_waiting(
    product: Product, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]
) -> list[float]:
    """`act` happens in the first pause of each request, and nothing else; returns the pauses."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        product._waited += seconds
        pauses.append(seconds)
        if len(pauses) == 1:
            act()

    monkeypatch.setattr(product, "_pause", pause)
    for function in ("generation", "images"):
        product._wirings.pop(function, None)  # those that run know the other pause
    return pauses
