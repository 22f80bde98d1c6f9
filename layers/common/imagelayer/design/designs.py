"""What may be written on a picture: free text, or one of the templates with its own fields.

Bodies of requests are checked through these types; a job keeps them as plain dictionaries, which
`render.compositor` lays out.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from imagelayer.design.fonts import BODY, HEADING, check_text, find_family
from imagelayer.platform.errors import invalid

Treatment = Literal["auto", "none", "tint", "duotone"]

Headline = Annotated[str, Meta(min_length=1, max_length=120)]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
Label = Annotated[str, Meta(min_length=1, max_length=40)]


class Design(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=False):
    """Base of these shapes: unknown fields are refused."""


class Text(Design):
    """Free text; at least one of the four. The call to action stands on a pill."""

    headline: Headline | None = None
    subhead: Line | None = None
    cta: Label | None = None
    caption: Line | None = None


class Stat(Design, tag_field="type", tag="stat"):
    """One number that speaks."""

    value: Annotated[str, Meta(min_length=1, max_length=16, examples=["73 %"])]
    label: Line
    source: Line | None = None


class Quote(Design, tag_field="type", tag="quote"):
    """What somebody said. Quotation marks are set by the template."""

    quote: Annotated[str, Meta(min_length=1, max_length=280)]
    author: Annotated[str, Meta(min_length=1, max_length=80)]
    role: Annotated[str, Meta(min_length=1, max_length=80)] | None = None


class Announcement(Design, tag_field="type", tag="announcement"):
    """Something is new."""

    headline: Headline
    subhead: Line | None = None
    cta: Label | None = None
    badge: Label | None = None


class Product(Design, tag_field="type", tag="product"):
    """Something is for sale."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    tagline: Line | None = None
    price: Annotated[str, Meta(min_length=1, max_length=24)] | None = None
    cta: Label | None = None


class Event(Design, tag_field="type", tag="event"):
    """Something takes place. The date is written as it is to be read."""

    title: Headline
    date: Annotated[str, Meta(min_length=1, max_length=60)]
    place: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    cta: Label | None = None


Template = Stat | Quote | Announcement | Product | Event


class Face(Design):
    """A bundled font: `GET /v1/fonts` lists the families and their weights."""

    family: str
    weight: int


def _heading() -> Face:
    return Face(family=HEADING[0], weight=HEADING[1])


def _body() -> Face:
    return Face(family=BODY[0], weight=BODY[1])


class Typography(Design):
    """The faces of a brand."""

    heading: Face = msgspec.field(default_factory=_heading)
    body: Face = msgspec.field(default_factory=_body)


def check_typography(typography: Typography, location: str = "body.typography") -> None:
    """Refuse a face that is not bundled. Raises Problem 422."""
    for role in ("heading", "body"):
        face: Face = getattr(typography, role)
        find_family(f"{location}.{role}", face.family, face.weight)


def check_design(
    text: Text | None, template: Template | None, typography: Typography | None = None
) -> None:
    """Refuse text that is missing or cannot be drawn. Raises Problem 422.

    Without `typography` every character must be in the fallback fonts or in the default family,
    so what passes here can be drawn whatever the brand's faces are.
    """
    if typography is not None:
        check_typography(typography)
    if text is not None and not any(_written(text)):
        raise invalid("body.text", "must hold a headline, subhead, cta or caption")
    family = (typography or Typography()).heading.family
    for location, design in (("body.text", text), ("body.template", template)):
        for name in _written(design) if design is not None else ():
            check_text(f"{location}.{name}", getattr(design, name), family)


def _written(design: Design) -> list[str]:
    """The fields that hold text."""
    return [name for name in design.__struct_fields__ if getattr(design, name) is not None]
