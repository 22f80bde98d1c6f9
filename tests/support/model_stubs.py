"""Workers whose models do as a test says, and requests that wait while something happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import replace
from dataclasses import dataclass, field
from typing import Any

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.image_models.image_model import GenerationRefused, ImageModel, ImageRequest
from imagelayer.image_models.registry import registry
from imagelayer.image_models.schemas import read_models
from imagelayer.image_models.studio import Studio
from imagelayer.image_models.wiring import ImageModelsWiring
from tests.support.product import Product

SEED = 100  # of the first image, where a test tells images apart by their seeds


@dataclass
class Model:
    """A model that paints, but refuses what it is set to, by the image's number in its job."""

    refuses: Mapping[int, str] = field(default_factory=dict)
    orders: list[ImageRequest] = field(default_factory=list)

    def generate(self, order: ImageRequest) -> Any:
        """Paint, or raise GenerationRefused."""
        self.orders.append(order)
        code = self.refuses.get(order.seed - SEED)
        if code is not None:
            raise GenerationRefused(code)
        return Studio().generate(order)


@dataclass
class Counted:
    """A provider's model, whose calls the product counts."""

    product: Product
    model: ImageModel

    def generate(self, order: ImageRequest) -> Any:
        """As the model does."""
        self.product.provider_calls += 1
        return self.model.generate(order)


def employ(product: Product, model: ImageModel, provider: str = "studio") -> None:
    """Let the worker have a provider of the test's."""
    wiring = product.part("generation_worker", GenerationsWiring)
    worker = wiring.generation_worker
    known = product.part("generation_worker", ImageModelsWiring).registry
    paid = model if provider == "studio" else Counted(product, model)
    providers = {**worker.providers, provider: lambda: paid}
    vars(wiring)["generation_worker"] = replace(worker, providers=providers, registry=known)


def offer(product: Product, providers: Iterable[str], custom: str = "") -> None:
    """Let these providers be set up, and these models be known beside ours."""
    for function in ("generation", "images", "generation_worker"):
        vars(product.part(function, ImageModelsWiring))["registry"] = registry(
            providers, read_models(custom or "[]")
        )


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
        product._platforms.pop(function, None)  # those that run know the other pause
    return pauses
