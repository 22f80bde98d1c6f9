"""Validates JSON values through a shape and says in words what breaks which rule.

pydantic finds every fault at once. Its messages are not passed on: they quote values, which may be
secrets, and speak of Python. Each kind of error that may reach a caller has its words in `_words`;
a kind that has none says no more than that the value is not valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelayer.platform.errors import FieldError, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

# Of a name that a caller made up, in an error.
_LONGEST_NAME = 60
# Of one list or object; the longest list of a shape takes 32.
_MOST_MEMBERS = 1000
_MOST_LISTED = 100
_NAMES = re.compile(r"'([^']*)'")


def validate[Model: BaseModel](
    value: Any, shape: type[Model], *, root: str = "body", strict: bool = True
) -> Model:
    """`value` as `shape`. Not `strict`, strings are read as what the field is, as forms need it.

    Raises Problem 422 that lists every broken rule. Values are never repeated: they may be secrets.
    """
    from pydantic import ValidationError

    _refuse_crowds(value, root)
    try:
        return shape.model_validate(value, strict=strict)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    # A field can break its rule in several ways: it may be neither a file nor a list of files.
    errors: dict[str, FieldError] = {}
    for each in found:
        fault = _field_error(each, value, root)
        errors.setdefault(fault.location, fault)
    listed = sorted(errors.values(), key=lambda each: each.location)[:_MOST_LISTED]
    first = listed[0]
    raise Problem("validation_failed", f"{first.location}: {first.message}", errors=listed)


def _refuse_crowds(value: Any, root: str) -> None:
    """Refuse a list or an object with more members than any shape takes, anywhere in a body.

    Each member could break a rule, and every broken rule costs work and room in the answer: a body
    of a few megabytes can hold a million. Raises Problem 422.
    """
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, dict | list):
            continue
        if len(each) > _MOST_MEMBERS:
            message = f"has a list or an object with more than {_MOST_MEMBERS} members"
            errors = [FieldError(root, message)]
            raise Problem("validation_failed", f"{root}: {message}", errors=errors)
        waiting += each.values() if isinstance(each, dict) else each


def _field_error(error: ErrorDetails, value: Any, root: str) -> FieldError:
    place = _place(error["loc"], value)
    if error["type"] == "extra_forbidden":
        if len(place) > 1:  # its name may be a misplaced secret
            return FieldError(_location(root, place[:-1]), "has a field that is not known")
        return FieldError(_location(root, [str(place[0])[:_LONGEST_NAME]]), "is not a known field")
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        place = [*place, error["ctx"]["discriminator"].strip("'")]
    return FieldError(_location(root, place), _words(error))


def _place(loc: Sequence[int | str], value: Any) -> list[int | str]:
    """The way to a value, without the steps that name a choice of a union."""
    place: list[int | str] = []
    chosen: Any = None  # the object whose choice was passed
    for number, step in enumerate(loc):
        is_last = number == len(loc) - 1
        if isinstance(value, Mapping) and isinstance(step, str):
            # A template is chosen by its `type`, and the one called quote has a field of that name.
            if value is not chosen and step == value.get("type"):
                chosen = value
                continue
            if step not in value and not is_last:
                continue
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            if not isinstance(step, int) or step >= len(value):
                continue
            value = value[step]
        elif place:  # inside a value that is no container there are only choices
            continue
        place.append(step)
    return place


def _location(root: str, place: Sequence[int | str]) -> str:
    return ".".join([root, *(str(step) for step in place)])


def _words(error: ErrorDetails) -> str:
    """What the value must be."""
    kind, about = error["type"], error.get("ctx", {})
    if kind in _RULES:
        return _RULES[kind](about)
    for beginning, words in _TYPES.items():
        if kind.startswith(beginning):
            return words
    return "is not valid"


def _one_of(expected: str) -> str:
    names = _NAMES.findall(expected)
    return f"must be {names[0]}" if len(names) == 1 else f"must be one of {', '.join(names)}"


def _form(about: Mapping[str, Any]) -> str:
    from imagelayer.api.schemas import FORMS

    return f"must be {FORMS.get(about['pattern'], 'in the form that the API describes')}"


def _least(about: Mapping[str, Any]) -> str:
    least = about["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} characters"


def _whole(least: int | None, most: int | None) -> str:
    if most is None:
        return "must be a whole number"
    return f"must be a whole number from {least} to {most}"


# By the names of pydantic's errors, and of those that our shapes add, from what they tell about
# the rule; never from the value.
_RULES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "union_tag_not_found": lambda _: "is required",
    "literal_error": lambda about: _one_of(about["expected"]),
    "union_tag_invalid": lambda about: _one_of(about["expected_tags"]),
    "string_pattern_mismatch": _form,
    "string_too_short": _least,
    "string_too_long": lambda about: f"must have at most {about['max_length']} characters",
    "too_short": lambda about: f"must have at least {_items(about['min_length'])}",
    "too_long": lambda about: f"must have at most {_items(about['max_length'])}",
    "text": lambda about: str(about["rule"]),
    "string_unicode": lambda _: "must not have half of a surrogate pair",
    "whole_number": lambda about: _whole(about["least"], about["most"]),
}
# By how the names of pydantic's errors begin.
_TYPES = {
    "string": "must be a string",
    "bool": "must be true or false",
    "float": "must be a number",
    "bytes": "must be a file",
    "list": "must be a list",
    "dict": "must be an object",
    "model": "must be an object",
}


def _items(number: int) -> str:
    return f"{number} item" if number == 1 else f"{number} items"
