"""Bases of request bodies and answers, and the fields that several domains share."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of request bodies: unknown fields are refused."""


class Answer(msgspec.Struct, kw_only=True, omit_defaults=False):
    """Base of documented answers."""


Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["dev@example.com"])]

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f<>]+$(?!\n)")]

# In Python's patterns `$` also matches before a last newline; hence `(?!\n)` and `max_length`.
HexColor = Annotated[str, Meta(max_length=7, pattern=r"^#[0-9A-Fa-f]{6}$", examples=["#1B4DFF"])]

Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

Url = Annotated[str, Meta(extra_json_schema={"format": "uri"})]

Mode = Literal["live", "test"]


class ProblemError(Answer):
    """One broken rule."""

    location: str
    message: str


class OpenAIError(Answer):
    """The shape the `openai` client reads."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemAnswer(Answer):
    """Every error: RFC 9457 with an `error` member for OpenAI-style readers."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[ProblemError]
    error: OpenAIError
