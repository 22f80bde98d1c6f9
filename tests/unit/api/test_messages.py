"""Every rule of every request body, broken: the message names the rule, and holds nothing sent.

The values are derived from the shapes, so a new field, or a new kind of rule that has no words,
fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from imagelayer.api import text
from imagelayer.api.schemas import FORMS
from imagelayer.api.validation import validate
from imagelayer.operations.schemas import SetPlan
from imagelayer.platform.errors import Problem
from imagelayer.routes import ROUTES
from tests.support.shapes import FORM_SHAPES, SHAPES

SECRET = "SeKrEtVaLuE"
# Every form that a message can have.
FORMS_OF_MESSAGES = re.compile(
    r"is required|is not a known field|has a field that is not known"
    r"|must be (a string|true or false|an object|a list|a file|text, not a file)"
    r"|must be (one of )?[a-z0-9_.:/-]+(, [a-z0-9_.:/-]+)*"
    r"|must be a whole number( from \d+ to \d+)?"
    r"|must not be empty|must have at (least|most) \d+ (characters|items?)"
    rf"|must be ({'|'.join(map(re.escape, FORMS.values()))})"
    rf"|{'|'.join(map(re.escape, text.RULES))}"
)
# Of every type of JSON.
ANYTHING: list[Any] = [None, True, -7, 10**30, 7.25, SECRET, [SECRET], [[]], {SECRET: SECRET}]
Schema = dict[str, Any]


def choices(schema: Schema, root: Schema) -> Iterator[Schema]:
    """What a value may be, without references."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    for each in inner:
        yield from choices(each, root)
    if not inner:
        yield schema


def breaking(schema: Schema) -> Iterator[Any]:
    """A value for each rule of a field, which breaks that rule."""
    if "enum" in schema or "const" in schema:
        yield SECRET
    if "pattern" in schema:
        yield f"<{SECRET}>\n\0"
    if "maxLength" in schema:
        yield SECRET * (schema["maxLength"] // len(SECRET) + 1)
    if schema.get("minLength"):
        yield SECRET[: schema["minLength"] - 1]
    if "minimum" in schema:
        yield from (schema["minimum"] - 1, schema["minimum"] + 0.5)
    if "maximum" in schema:
        yield from (schema["maximum"] + 1, str(schema["maximum"]), True)
    if schema.get("minItems"):
        yield []
    if "maxItems" in schema:
        yield [SECRET] * (schema["maxItems"] + 1)
    if "type" in schema:
        yield {"string": 7, "integer": SECRET, "boolean": SECRET}.get(schema["type"], SECRET)


def faults(schema: Schema, root: Schema) -> Iterator[tuple[Any, tuple[str, ...], bool]]:
    """Broken values of a shape, the place of the fault, and whether there must be one."""
    for choice in choices(schema, root):
        kinds = {name: each["const"] for name, each in properties(choice) if "const" in each}
        for name, field in properties(choice):
            for value in ANYTHING:
                yield {**kinds, name: value}, (name,), False
            options = list(choices(field, root))
            for option in options:
                for value in breaking(option):
                    yield {**kinds, name: value}, (name,), len(options) == 1
            for value, place, must in faults(field, root):
                yield {**kinds, name: value}, (name, *place), must
        if "items" in choice:
            for value in [*ANYTHING, *breaking(choice["items"])]:
                yield [value], ("0",), False
            for value, place, must in faults(choice["items"], root):
                yield [value], ("0", *place), must


def properties(schema: Schema) -> list[tuple[str, Schema]]:
    return list(schema.get("properties", {}).items())


@pytest.mark.promise("errors-sanitized")
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_broken_rule_is_named_in_words_and_nothing_sent_is_repeated(
    shape: type[BaseModel],
) -> None:
    root = shape.model_json_schema()
    for value, place, must in [*faults(root, root), ({SECRET[:5]: 1}, (SECRET[:5],), False)]:
        try:
            validate(value, shape, strict=shape not in FORM_SHAPES)
        except Problem as problem:
            found = {each.location: each.message for each in problem.errors}
        else:
            found = {}
        assert not must or any(each.startswith(f"body.{'.'.join(place)}") for each in found), value
        for location, message in found.items():
            assert FORMS_OF_MESSAGES.fullmatch(message), (location, message)
            # The operator reads which limit of a plan is wrong.
            place_shown = "" if shape is SetPlan else location
            assert SECRET not in f"{place_shown} {message}", value


def test_every_request_body_is_among_them() -> None:
    bodies = {route.body() for route in ROUTES.values() if route.body and not route.signed}
    assert bodies <= set(SHAPES)
