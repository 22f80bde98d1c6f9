"""What an entry of the registry of image models may hold."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from imagelayer.image_models.registry import Model, Provider, ProviderFormat

Ratio = Annotated[str, Field(pattern=r"^[1-9][0-9]?:[1-9][0-9]?$")]
Side = Annotated[int, Field(ge=64, le=4096)]


class ModelEntry(BaseModel):
    """One model as `models.json` and the template's `CustomModels` describe it.

    The fields mean what `registry.Model` says.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    provider: Provider
    provider_model_id: Annotated[str, Field(min_length=1, max_length=200)]
    min_side: Side = 256
    max_side: Side = 2048
    sizes: tuple[tuple[Side, Side], ...] = ()
    ratios: tuple[Ratio, ...] = ()
    multiple_of: Annotated[int, Field(ge=1, le=64)] = 1
    max_ratio: Annotated[int, Field(ge=1)] | None = None
    formats: tuple[ProviderFormat, ...] = ("png", "jpeg", "webp")
    max_prompt: Annotated[int, Field(ge=1, le=32_000)] = 4000
    credits_per_image: Annotated[int, Field(ge=0)] = 0
    credits_per_megapixel: Annotated[int, Field(ge=0)] = 0
    edits: bool = False
    seeded: bool = False
    shutdown_date: date | None = None
    replacement: str | None = None
    source: str = ""


def read_models(text: str | bytes) -> tuple[Model, ...]:
    """Models from a JSON list. Raises pydantic.ValidationError."""
    entries = TypeAdapter(tuple[ModelEntry, ...]).validate_json(text)
    return tuple(Model(**entry.model_dump()) for entry in entries)
