"""The registry of image models: what may be asked for, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from imagelayer.errors import invalid


@dataclass(frozen=True)
class Model:
    """One model. Sides are pixels; `credits_per_megapixel` rounds up per image."""

    id: str
    provider: str
    min_side: int
    max_side: int
    max_prompt: int
    credits_per_megapixel: int

    def credits(self, width: int, height: int, n: int) -> int:
        """What `n` images of that size cost, in credits."""
        megapixels = max(1, math.ceil(width * height / (1024 * 1024)))
        return n * megapixels * self.credits_per_megapixel

    def check_size(self, width: int, height: int) -> None:
        """Raise Problem 422 for a size the model does not make."""
        if not all(self.min_side <= side <= self.max_side for side in (width, height)):
            raise invalid("body.size", f"sides must be {self.min_side} to {self.max_side} pixels")


MODELS: Mapping[str, Model] = {
    "studio": Model(
        id="studio",
        provider="studio",
        min_side=256,
        max_side=2048,
        max_prompt=4000,
        credits_per_megapixel=1,
    ),
}


def find(model_id: str) -> Model:
    """A model by id. Raises Problem 422."""
    model = MODELS.get(model_id)
    if model is None:
        raise invalid("body.model", "is not a known model")
    return model
