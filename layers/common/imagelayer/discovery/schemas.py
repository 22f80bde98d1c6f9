"""Shapes of the API: discovery."""

from __future__ import annotations

from typing import Literal

from imagelayer.api.schemas import Answer


class Health(Answer):
    """The service answers."""

    stage: str
    status: Literal["ok"] = "ok"


class Font(Answer):
    """A bundled family and the weights it comes in."""

    family: str
    weights: list[int]


class FontList(Answer):
    """Every family that a brand's typography may name."""

    data: list[Font]


class Preset(Answer):
    """A platform's size, in pixels."""

    id: str
    width: int
    height: int


class PresetList(Answer):
    """Every preset that a generation may name."""

    data: list[Preset]


class Jwks(Answer):
    """The public halves of the signing keys (RFC 7517)."""

    keys: list[dict[str, str]]
