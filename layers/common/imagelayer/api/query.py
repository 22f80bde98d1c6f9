"""Parameters of a query string: one declaration is what the API description says of a parameter and
what its value is held to, so the two cannot differ.

An unknown parameter is refused, as an unknown field of a body is: one with a typing mistake would
be lost without a word. An empty one counts as absent: forms and generated clients send those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, Protocol
from urllib.parse import parse_qsl

from imagelayer.platform.errors import FieldError, Problem, invalid
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import pattern_of

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# Of a name that a caller made up, in an error; and of such names.
_LONGEST_NAME = 60
_MOST_LISTED = 20
_DIGITS = re.compile(r"[0-9]{1,10}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_FORM = "must be a date such as 2026-01-31"


@frozen
class Parameter:
    """One parameter.

    `schema` is published. Of JSON Schema it may use a whole number with its bounds, an `enum`, the
    format `date` or a `pattern`, of which `words` complete "must be …".
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    words: str = ""

    def text(self, query: Mapping[str, str]) -> str | None:
        """What was sent, or None; held to the schema. Raises Problem 422."""
        text = query.get(self.name) or None
        if text is not None and (message := self._broken(text)):
            raise invalid(f"query.{self.name}", message)
        return text

    def number(self, query: Mapping[str, str]) -> int:
        """The whole number that was sent, or the default. Raises Problem 422."""
        return int(self.text(query) or self.schema["default"])

    def day(self, query: Mapping[str, str]) -> date | None:
        """The date that was sent, or None. Raises Problem 422."""
        text = self.text(query)
        return date.fromisoformat(text) if text is not None else None

    def _broken(self, text: str) -> str | None:
        """The rule that a value breaks."""
        schema = self.schema
        if schema["type"] == "integer":
            least, most = schema["minimum"], schema["maximum"]
            if _DIGITS.fullmatch(text) and least <= int(text) <= most:
                return None
            return f"must be a whole number from {least} to {most}"
        if "enum" in schema:
            *others, last = schema["enum"]
            listed = f"one of {', '.join(schema['enum'])}" if others else last
            return None if text in schema["enum"] else f"must be {listed}"
        if schema.get("format") == "date":
            return None if _is_day(text) else _DAY_FORM
        return None if re.fullmatch(schema["pattern"], text) else f"must be {self.words}"


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


LIMIT = Parameter(
    "limit",
    "How many entries a page has.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
)


@cache
def cursor(prefix: str) -> Parameter:
    """Where a list of things whose ids have this prefix goes on."""
    return Parameter(
        "cursor",
        "The `next_cursor` of the page before.",
        {"type": "string", "pattern": pattern_of(prefix)},
        "the next_cursor of a page of this list",
    )


def page_of(prefix: str) -> tuple[Parameter, ...]:
    """The parameters of a list."""
    return LIMIT, cursor(prefix)


class Asked(Protocol):
    """What is known of a route here."""

    @property
    def query(self) -> tuple[Parameter, ...]: ...
    @property
    def takes_any_query(self) -> bool: ...


def read(event: Mapping[str, Any], route: Asked) -> Mapping[str, str]:
    """The parameters of a request as text, without the empty ones.

    Raises Problem 422 for one that the route does not know, and for a known one that is repeated:
    the gateway joins those with commas.
    """
    sent: Mapping[str, str] = event.get("queryStringParameters") or {}
    if not sent:
        return {}
    known = [each.name for each in route.query]
    errors = [] if route.takes_any_query else _unknown(sent, known)
    names = [name for name, _ in _pairs(str(event.get("rawQueryString") or ""))]
    errors += [
        FieldError(f"query.{name}", "is given more than once")
        for name in known
        if names.count(name) > 1
    ]
    if errors:
        raise Problem(
            "validation_failed", f"{errors[0].location}: {errors[0].message}", errors=errors
        )
    return {name: text for name, text in sent.items() if text}


def _pairs(raw: str) -> list[tuple[str, str]]:
    return parse_qsl(raw, keep_blank_values=True)


def _unknown(sent: Mapping[str, str], known: Sequence[str]) -> list[FieldError]:
    taken = f"this route takes {', '.join(known)}" if known else "this route takes none"
    return [
        FieldError(f"query.{name[:_LONGEST_NAME]}", f"is not a known parameter; {taken}")
        for name in sorted(set(sent) - set(known))[:_MOST_LISTED]
    ]
