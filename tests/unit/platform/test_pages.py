"""The tail of a page."""

from __future__ import annotations

import pytest

from imagelayer.platform.pages import cut

ROWS = [{"id": f"row_{number}", "user_id": f"usr_{number}"} for number in range(3)]


@pytest.mark.parametrize(("limit", "cursor"), [(1, "row_0"), (2, "row_1"), (3, None), (4, None)])
def test_a_cursor_is_the_last_row_shown_when_more_follow(limit: int, cursor: str | None) -> None:
    found = ROWS[: limit + 1]  # what a store returns

    assert cut(found, limit) == (ROWS[:limit], cursor)


def test_the_cursor_is_the_field_that_is_named() -> None:
    assert cut(ROWS, 2, key="user_id")[1] == "usr_1"


def test_an_empty_list_has_no_next_page() -> None:
    assert cut([], 20) == ([], None)
