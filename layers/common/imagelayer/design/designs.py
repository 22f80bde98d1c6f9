"""Rules for what may be written on a picture. The shapes are in `design.schemas`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from imagelayer.design.fonts import HEADING, check_text, find_family
from imagelayer.platform.errors import invalid

type Treatment = Literal["auto", "none", "tint", "duotone"]


def check_typography(typography: Mapping[str, Any], location: str = "body.typography") -> None:
    """Refuse a typeface that is not bundled. Raises Problem 422.

    `typography` is a `schemas.Typography` as a dictionary.
    """
    for role in ("heading", "body"):
        face = typography[role]
        find_family(f"{location}.{role}", face["family"], face["weight"])


def check_design(
    text: Mapping[str, Any] | None,
    template: Mapping[str, Any] | None,
    typography: Mapping[str, Any] | None = None,
) -> None:
    """Refuse text that is missing or cannot be drawn. Raises Problem 422.

    Without `typography` every character must be in the fallback fonts or in the default family,
    so what passes here can be drawn whatever the brand's typefaces are.
    """
    if typography is not None:
        check_typography(typography)
    if text is not None and not any(True for _ in _written(text)):
        raise invalid("body.text", "must have a headline, subhead, cta or caption")
    family = typography["heading"]["family"] if typography else HEADING[0]
    for location, design in (("body.text", text), ("body.template", template)):
        for name, words in _written(design or {}):
            check_text(f"{location}.{name}", words, family)


def _written(design: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields that hold text."""
    return ((name, words) for name, words in design.items() if name != "type" and words is not None)
