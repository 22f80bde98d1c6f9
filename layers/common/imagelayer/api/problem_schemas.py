"""The shape of errors, for the API description alone: `http.problems` writes them."""

from __future__ import annotations

from imagelayer.api.schemas import Answer


class ProblemError(Answer):
    """One broken rule."""

    location: str
    """Where: `body.palette.2`, `query.limit`."""
    message: str
    """What the value must be. The value itself is never repeated."""


class OpenAIError(Answer):
    """The shape the `openai` client reads."""

    message: str
    """The same text as `detail`."""
    type: str
    """The class of error that the client raises."""
    param: str | None
    """The invalid field, if there is one."""
    code: str
    """The same as the problem's `code`."""


class ProblemAnswer(Answer):
    """Every error: RFC 9457 with an `error` member for OpenAI-style readers."""

    type: str
    """A URI that identifies the kind of problem."""
    title: str
    """The kind of problem in a few words; the same for each `code`."""
    status: int
    """The HTTP status."""
    detail: str
    """What went wrong in this request, and what to do."""
    code: str
    """A stable code to decide by; docs/errors.md lists them all."""
    request_id: str
    """The request, as in the header `x-request-id`."""
    errors: list[ProblemError]
    """All broken rules; empty when no field is at fault."""
    error: OpenAIError
    """The same error as the `openai` client reads it."""
