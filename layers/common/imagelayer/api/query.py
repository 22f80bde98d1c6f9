"""Numbers of a query string."""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.platform.errors import invalid


def number(query: Mapping[str, str], name: str, most: int) -> int:
    """A whole number of the query, 0 when it is absent. Raises Problem 422."""
    text = query.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= most):
        raise invalid(f"query.{name}", f"must be a whole number from 0 to {most}")
    return int(text)
