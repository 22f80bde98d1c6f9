"""The words on a picture: free text, or a template's fields, and the brand's typography."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Treatment = Literal["auto", "none", "tint", "duotone"]
Headline = Annotated[str, Meta(min_length=1, max_length=160)]
Line = Annotated[str, Meta(min_length=1, max_length=240)]
Label = Annotated[str, Meta(min_length=1, max_length=60)]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of what is checked field by field."""


class Text(Strict):
    """Text to lay on a picture; at least one of its parts."""

    headline: Headline | None = None
    subhead: Line | None = None
    cta: Label | None = None
    caption: Line | None = None


class Stat(Strict, tag_field="type", tag="stat"):
    """A number and what it counts."""

    value: Annotated[str, Meta(min_length=1, max_length=24)]
    label: Line
    source: Line | None = None


class Quote(Strict, tag_field="type", tag="quote"):
    """What somebody said."""

    quote: Annotated[str, Meta(min_length=1, max_length=320)]
    author: Label
    role: Label | None = None


class Announcement(Strict, tag_field="type", tag="announcement"):
    """News."""

    headline: Headline
    subhead: Line | None = None
    cta: Label | None = None
    badge: Label | None = None


class Product(Strict, tag_field="type", tag="product"):
    """Something to buy."""

    name: Headline
    tagline: Line | None = None
    price: Annotated[str, Meta(min_length=1, max_length=24)] | None = None
    cta: Label | None = None


class Event(Strict, tag_field="type", tag="event"):
    """Somewhere to be."""

    title: Headline
    date: Label
    place: Label | None = None
    cta: Label | None = None


Template = Stat | Quote | Announcement | Product | Event


class Typeface(Strict):
    """A bundled family in a bundled weight."""

    family: Annotated[str, Meta(min_length=1, max_length=60)] = "Inter"
    weight: Annotated[int, Meta(ge=100, le=900)] = 700


class Typography(Strict):
    """What a brand's text is set in."""

    heading: Typeface = msgspec.field(default_factory=Typeface)
    body: Typeface = msgspec.field(default_factory=lambda: Typeface(weight=400))


def check_design(text: Text | None, template: Template | None) -> None:
    """Raise Problem 422 for text that cannot be set."""


def check_typography(typography: Typography) -> None:
    """Raise Problem 422 for type that is not bundled."""


def check_brandmark(brandmark: str) -> None:
    """Raise Problem 422 for text that cannot be set."""
