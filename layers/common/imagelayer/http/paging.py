"""`limit` and `cursor` of lists. A cursor is the id of the last row that was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagelayer.api.query import LIMIT, cursor


def page_request(query: Mapping[str, str], prefix: str) -> tuple[int, str | None]:
    """`(limit, cursor)`. Raises Problem 422.

    A cursor only ever positions a query inside the caller's own partition, so a foreign one
    reveals nothing.
    """
    return LIMIT.number(query), cursor(prefix).text(query)


def page(rows: list[dict[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """The list's envelope."""
    return {"data": rows, "next_cursor": next_cursor}
