"""What may be written on a picture is checked to the letter before a job is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from imagelayer.design.designs import check_design, check_typography
from imagelayer.design.fonts import BODY, FAMILIES, HEADING, covers
from imagelayer.design.schemas import Design, Template, TextBlock, Typography
from imagelayer.platform.errors import Problem
from imagelayer.render.layouts import blocks_of

FULL: list[dict[str, Any]] = [
    {"type": "stat", "value": "73 %", "label": "of teams", "source": "Survey"},
    {"type": "quote", "quote": "Simply right.", "author": "Maya", "role": "Head of Brand"},
    {"type": "announcement", "headline": "New", "subhead": "It is", "cta": "Go", "badge": "Hot"},
    {"type": "product", "name": "Kettle", "tagline": "Quiet", "price": "$1", "cta": "Buy"},
    {"type": "event", "title": "Evening", "date": "3 Dec", "place": "Lisbon", "cta": "Come"},
]


def parse(data: dict[str, Any]) -> dict[str, Any]:
    template: Design = TypeAdapter(Template).validate_python(data, strict=True)
    return template.model_dump()


@pytest.mark.parametrize("data", FULL, ids=lambda data: data["type"])
def test_a_template_keeps_its_fields_on_the_way_into_a_job(data: dict[str, Any]) -> None:
    template = parse(data)
    check_design(None, template)
    assert template == data


@pytest.mark.parametrize("data", FULL, ids=lambda data: data["type"])
def test_every_field_of_a_template_is_written_on_the_picture(data: dict[str, Any]) -> None:
    stored = parse(data)
    written = [block.text for block in blocks_of(None, stored, None)]
    for name, value in data.items():
        assert name == "type" or value in written


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "poster", "headline": "x"},
        {"headline": "x"},
        {"type": "stat", "value": "1"},
        {"type": "stat", "value": "1", "label": "x", "headline": "x"},
        {"type": "quote", "quote": "", "author": "x"},
        {"type": "quote", "quote": "x" * 281, "author": "x"},
        {"type": "stat", "value": "x" * 17, "label": "x"},
        {"type": "product", "name": 7},
    ],
)
def test_a_template_with_a_wrong_field_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse(wrong)


def location(
    words: TextBlock | None, template: Any, typography: dict[str, Any] | None = None
) -> str | None:
    with pytest.raises(Problem) as caught:
        check_design(words.model_dump() if words else None, template, typography)
    assert caught.value.status == 422
    return caught.value.param


def test_a_text_without_a_word_is_refused() -> None:
    assert location(TextBlock(), None) == "text"


def test_the_field_that_cannot_be_drawn_is_named() -> None:
    assert location(TextBlock(headline="fine", cta="ᚠ"), None) == "text.cta"
    quote = parse({"type": "quote", "quote": "fine", "author": "mark\ue000"})
    assert location(None, quote) == "template.author"


def test_what_passes_without_a_brand_can_be_drawn_in_every_family() -> None:
    """The brand's faces are not known yet when a request is checked."""
    for point in range(0x20, 0x3000):
        if covers(HEADING[0], point):
            assert all(covers(family, point) for family in FAMILIES)


def test_faces_are_checked() -> None:
    check_typography(Typography().model_dump())
    wrong = Typography.model_validate({"body": {"family": "Arial", "weight": 400}}).model_dump()
    with pytest.raises(Problem) as caught:
        check_typography(wrong)
    assert caught.value.param == "typography.body.family"
    assert location(TextBlock(headline="x"), None, wrong) == "typography.body.family"
    assert HEADING[1] in FAMILIES[HEADING[0]]
    assert BODY[1] in FAMILIES[BODY[0]]
