"""Pages of a list. A store reads one row more than a page holds, to see whether more follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def cut[Row: Mapping[str, object]](
    found: Sequence[Row], limit: int, *, key: str = "id"
) -> tuple[list[Row], str | None]:
    """The first `limit` of the rows, and the cursor of the next page: `key` of the last row, or
    None when no row was left over. Ask the store for `limit + 1`."""
    rows = list(found[:limit])
    return rows, str(rows[-1][key]) if len(found) > limit else None
