"""The registry of image models: which models there are, their prices and shutdown dates.

`models.json` holds the models we know, each with a source for its data. An adopter adds
models of their own, or other terms for these, in the template's `CustomModels`: a JSON list of the
same shape, merged by id. A model is offered when its provider is set up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from imagelayer.platform.errors import Problem, invalid
from imagelayer.platform.frozen import frozen

type Provider = Literal["studio", "openai", "google", "bedrock"]
type ProviderFormat = Literal["png", "jpeg", "webp"]
DEFAULT = "studio"


@frozen
class Model:
    """One model. Sides are pixels.

    What each field may hold is in `image_models.schemas.ModelEntry`.

    `min_side` and `max_side` bound what a caller may request. The provider makes one of `sizes`, or
    of `ratios`, or any size whose sides are multiples of `multiple_of` and at most `max_ratio`
    apart; the picture is cropped to the request. `provider_model_id` is what the provider calls the
    model. `edits`: it can start from a picture. `seeded`: the same seed gives the same picture.
    From `shutdown_date` on the provider no longer serves it.
    """

    id: str
    provider: Provider
    provider_model_id: str
    min_side: int = 256
    max_side: int = 2048
    sizes: tuple[tuple[int, int], ...] = ()
    ratios: tuple[str, ...] = ()
    multiple_of: int = 1
    max_ratio: int | None = None
    formats: tuple[ProviderFormat, ...] = ("png", "jpeg", "webp")
    max_prompt: int = 4000
    credits_per_image: int = 0
    credits_per_megapixel: int = 0
    edits: bool = False
    seeded: bool = False
    shutdown_date: date | None = None
    replacement: str | None = None
    source: str = ""

    def credits(self, width: int, height: int, n: int) -> int:
        """What `n` images of that size cost, in credits."""
        megapixels = max(1, math.ceil(width * height / (1024 * 1024)))
        return n * (self.credits_per_image + megapixels * self.credits_per_megapixel)

    def check_size(self, width: int, height: int) -> None:
        """Raise Problem 422 for a size the model does not make."""
        if not all(self.min_side <= side <= self.max_side for side in (width, height)):
            raise invalid("body.size", f"sides must be {self.min_side} to {self.max_side} pixels")

    def is_shut_down(self, today: date) -> bool:
        """Whether the provider has stopped answering."""
        return self.shutdown_date is not None and today >= self.shutdown_date


@frozen
class Registry:
    """The models of one deployment, by id; `enabled` are the providers that are set up."""

    models: Mapping[str, Model]
    enabled: frozenset[str]

    @property
    def built_in(self) -> Model:
        """The model that needs no provider."""
        return self.models[DEFAULT]

    def get(self, model_id: str) -> Model | None:
        """A model whose provider is set up, or None."""
        model = self.models.get(model_id)
        return model if model is not None and model.provider in self.enabled else None

    def find(self, model_id: str, today: date) -> Model:
        """A model that can be asked. Raises Problem 422."""
        model = self.get(model_id)
        if model is None:
            known = ", ".join(each.id for each in self.offered(today))
            raise invalid("body.model", f"must be one of {known}; GET /v1/models describes them")
        if model.is_shut_down(today):
            instead = f" Use {model.replacement}." if model.replacement else ""
            raise Problem(
                "model_shut_down", f"The provider has shut down {model.id}.{instead}", param="model"
            )
        return model

    def offered(self, today: date) -> list[Model]:
        """Every model that can be asked, in the order of the registry."""
        return [
            model
            for model in self.models.values()
            if model.provider in self.enabled and not model.is_shut_down(today)
        ]


@cache
def known() -> tuple[Model, ...]:
    """The models of `models.json`, which a test checks against `ModelEntry`."""
    entries = json.loads(Path(__file__).with_name("models.json").read_bytes())
    return tuple(_model(entry) for entry in entries)


def _model(entry: Mapping[str, Any]) -> Model:
    fields = dict(entry)
    for name in ("sizes", "ratios", "formats"):
        if name in fields:
            fields[name] = tuple(tuple(each) if name == "sizes" else each for each in fields[name])
    if fields.get("shutdown_date"):
        fields["shutdown_date"] = date.fromisoformat(fields["shutdown_date"])
    return Model(**fields)


def registry(providers: Iterable[str], custom: Iterable[Model] = ()) -> Registry:
    """The registry of a deployment: what we know, then what the adopter says.

    Raises ValueError for a custom model that takes the built-in model's place.
    """
    models = {model.id: model for model in (*known(), *custom)}
    if models[DEFAULT].provider != "studio":
        # What costs nothing, such as the images of test keys, must not reach a provider.
        raise ValueError(f"{DEFAULT} is the built-in model")
    return Registry(models, frozenset(providers) | {"studio"})
