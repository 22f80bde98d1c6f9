"""`limit` and `cursor` of lists. A cursor is the id of the last row that was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagelayer.platform.errors import invalid
from imagelayer.platform.ids import is_id

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


def page_request(query: Mapping[str, str], prefix: str) -> tuple[int, str | None]:
    """`(limit, cursor)`. Raises Problem 422.

    A cursor only ever positions a query inside the caller's own partition, so a foreign one
    reveals nothing.
    """
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (
        text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MAX_LIMIT and len(text) < 4
    ):
        raise invalid("query.limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    cursor = query.get("cursor")
    if cursor is not None and not is_id(prefix, cursor):
        raise invalid("query.cursor", "is not a cursor of this list")
    return int(text), cursor


def page(rows: list[dict[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """The list's envelope."""
    return {"data": rows, "next_cursor": next_cursor}
