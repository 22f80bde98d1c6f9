"""Bases of request bodies and answers, and the fields that several domains share.

The shapes of a domain are pydantic models in its `schemas.py`: request bodies are validated
through them, and the API description is generated from them. Importing pydantic costs a quarter
of what making a boto3 client costs, so only a request that has a body imports them, and a model is
built when it is first used (`defer_build`; decision 0003).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from imagelayer.api.text import TextKind, broken_rule, trimmed

# What matches a pattern, in words: an expression explains nothing to a reader of errors.
FORMS: dict[str, str] = {}


class Shape(BaseModel):
    """Base of every shape; unknown fields are ignored."""

    model_config = ConfigDict(defer_build=True, ser_json_bytes="base64")


class Request(Shape):
    """Base of request bodies; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Answer(Shape):
    """Base of documented answers: every field is present, whether or not it has a default."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


def form(pattern: str, words: str, **rules: Any) -> Any:
    """A string of this pattern. `words` complete "must be …" for a value that does not match.

    Patterns hold to RE2, which pydantic and most clients match with: `$` is the end of the text.
    """
    FORMS[pattern] = words
    return Field(pattern=pattern, **rules)


class Whole:
    """A whole number, whose bounds are in the message of whatever it breaks.

    JSON has one kind of number: 2.0 is an integer (JSON Schema 2020-12, validation §6.1.1).
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        bounds = {"least": schema.get("ge"), "most": schema.get("le")}

        def check(value: Any, inner: ValidatorFunctionWrapHandler) -> Any:
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            try:
                return inner(value)
            except ValidationError:
                raise PydanticCustomError("whole_number", "not in bounds", bounds) from None

        return core_schema.no_info_wrap_validator_function(check, schema)


# Stands last in an annotation, so that it knows the bounds before it.
WHOLE = Whole()


class Text:
    """Free text, held to the rules of `api.text`. Stands last in an annotation.

    The pattern in the description is what regular expressions of every language can say of it.
    """

    def __init__(self, kind: TextKind) -> None:
        self.kind = kind

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        checked = core_schema.no_info_after_validator_function(self._checked, handler(source))
        if self.kind != "name":
            return checked
        return core_schema.no_info_before_validator_function(_of_strings(trimmed), checked)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        refused = _NOT_IN_TEXT[self.kind]
        pattern = rf"[^{refused}]*[^\s{refused}][^{refused}]*"
        described["pattern"] = f"^{pattern}$" if described.get("minLength") else f"^({pattern})?$"
        return described

    def _checked(self, text: str) -> str:
        rule = broken_rule(text, self.kind)
        if rule is not None:
            raise PydanticCustomError("text", "not readable", {"rule": rule})
        return text


def _of_strings(clean: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: clean(value) if isinstance(value, str) else value


def pasted(clean: Callable[[str], str]) -> BeforeValidator:
    """Removes, by a function of `api.text`, what comes along when people paste."""
    return BeforeValidator(_of_strings(clean))


# Characters, as in a class of a regular expression.
_NOT_IN_TEXT: dict[TextKind, str] = {
    "name": r"\x00-\x1f\x7f-\x9f<>",
    "line": r"\x00-\x1f\x7f-\x9f",
    "prose": r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f",
}
TRIMMED = pasted(trimmed)
NAME, LINE, PROSE = Text("name"), Text("line"), Text("prose")

Email = Annotated[str, Field(min_length=3, max_length=254, examples=["dev@example.com"]), TRIMMED]

Name = Annotated[str, Field(min_length=1, max_length=100), NAME]

HexColor = Annotated[
    str, form(r"^#[0-9A-Fa-f]{6}$", "#RRGGBB, such as #1B4DFF", max_length=7, examples=["#1B4DFF"])
]

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]

Url = Annotated[str, Field(json_schema_extra={"format": "uri"})]
