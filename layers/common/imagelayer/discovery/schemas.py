"""Shapes of the API: discovery."""

from __future__ import annotations

from typing import Literal

from imagelayer.api.schemas import Answer


class Health(Answer):
    """The service answers."""

    stage: str
    """Which deployment answers."""
    status: Literal["ok"] = "ok"


class FontFamily(Answer):
    """A bundled font family and its weights."""

    family: str
    """The family's name."""
    weights: list[int]
    """Its weights, such as 400 and 700."""


class FontList(Answer):
    """Every font family that a brand's typography can use."""

    data: list[FontFamily]
    """Every font family."""


class Preset(Answer):
    """A platform's size, in pixels."""

    id: str
    """The name to use as a generation's `preset`."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


class PresetList(Answer):
    """Every preset that a generation can use."""

    data: list[Preset]
    """Every preset."""


class Jwks(Answer):
    """The public halves of the signing keys (RFC 7517)."""

    keys: list[dict[str, str]]
    """The keys, each with its `kid`."""
