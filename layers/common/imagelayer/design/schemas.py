"""Shapes of the API: what may be written on a picture, free text or one of the templates.

A job keeps them as plain dictionaries, which `render.compositor` lays out.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from imagelayer.api.schemas import LINE, WHOLE, Shape
from imagelayer.design.fonts import BODY, HEADING

Headline = Annotated[str, Field(min_length=1, max_length=120), LINE]
Line = Annotated[str, Field(min_length=1, max_length=200), LINE]
Label = Annotated[str, Field(min_length=1, max_length=40), LINE]


class Design(Shape):
    """Base of these shapes: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class TextBlock(Design):
    """Free text; at least one of the four fields."""

    headline: Headline | None = None
    """The largest line."""
    subhead: Line | None = None
    """Below the headline."""
    cta: Label | None = None
    """The call to action, drawn as a button."""
    caption: Line | None = None
    """The smallest line."""


class StatTemplate(Design):
    """A single number."""

    type: Literal["stat"]
    """Chooses this template."""
    value: Annotated[str, Field(min_length=1, max_length=16, examples=["73 %"]), LINE]
    """The number, as it should appear."""
    label: Line
    """What the number counts."""
    source: Line | None = None
    """Where the number comes from."""


class QuoteTemplate(Design):
    """A quotation. The template sets the quotation marks."""

    type: Literal["quote"]
    """Chooses this template."""
    quote: Annotated[str, Field(min_length=1, max_length=280), LINE]
    """The words, without quotation marks."""
    author: Annotated[str, Field(min_length=1, max_length=80), LINE]
    """Who said them."""
    role: Annotated[str, Field(min_length=1, max_length=80), LINE] | None = None
    """The author's role."""


class AnnouncementTemplate(Design):
    """An announcement."""

    type: Literal["announcement"]
    """Chooses this template."""
    headline: Headline
    """What is new."""
    subhead: Line | None = None
    """Below the headline."""
    cta: Label | None = None
    """The call to action, drawn as a button."""
    badge: Label | None = None
    """A word or two above the headline, such as `New`."""


class ProductTemplate(Design):
    """A product for sale."""

    type: Literal["product"]
    """Chooses this template."""
    name: Annotated[str, Field(min_length=1, max_length=80), LINE]
    """The product."""
    tagline: Line | None = None
    """One line about it."""
    price: Annotated[str, Field(min_length=1, max_length=24), LINE] | None = None
    """The price, as it should appear."""
    cta: Label | None = None
    """The call to action, drawn as a button."""


class EventTemplate(Design):
    """An event that takes place."""

    type: Literal["event"]
    """Chooses this template."""
    title: Headline
    """The event."""
    date: Annotated[str, Field(min_length=1, max_length=60), LINE]
    """The date, as it should appear."""
    place: Annotated[str, Field(min_length=1, max_length=80), LINE] | None = None
    """Where it takes place."""
    cta: Label | None = None
    """The call to action, drawn as a button."""


Template = Annotated[
    StatTemplate | QuoteTemplate | AnnouncementTemplate | ProductTemplate | EventTemplate,
    Field(discriminator="type"),
]


class Typeface(Design):
    """A bundled font: `GET /v1/fonts` lists the families and their weights."""

    family: str
    """The family, such as `Inter`."""
    weight: Annotated[int, WHOLE]
    """One of the family's weights, such as 700."""


def _heading() -> Typeface:
    return Typeface(family=HEADING[0], weight=HEADING[1])


def _body() -> Typeface:
    return Typeface(family=BODY[0], weight=BODY[1])


class Typography(Design):
    """The typefaces of a brand."""

    heading: Typeface = Field(default_factory=_heading)
    """For headlines."""
    body: Typeface = Field(default_factory=_body)
    """For everything else."""
