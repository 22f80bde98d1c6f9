"""Lists take a limit and a cursor and refuse what is neither."""

from __future__ import annotations

import pytest

from imagelayer.api.query import DEFAULT_LIMIT, MAX_LIMIT
from imagelayer.http.paging import page, page_request
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import new_id

CURSOR = new_id("brd", 1_800_000_000, bytes)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, (DEFAULT_LIMIT, None)),
        ({"limit": "1"}, (1, None)),
        ({"limit": "100"}, (MAX_LIMIT, None)),
        ({"limit": "007"}, (7, None)),
        ({"limit": "", "cursor": ""}, (DEFAULT_LIMIT, None)),  # as forms send what is left out
        ({"cursor": CURSOR}, (DEFAULT_LIMIT, CURSOR)),
        ({"limit": "5", "cursor": CURSOR, "unknown": "x"}, (5, CURSOR)),
    ],
)
def test_a_page_is_asked_for(query: dict[str, str], expected: tuple[int, str | None]) -> None:
    assert page_request(query, "brd") == expected


@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "-1",
        "101",
        "1000",
        "99999999999999999999",
        "1.5",
        "1e2",
        "ten",
        " 5",
        "5 ",
        "+5",
        "\u0665",
        "²",
        "1,000",
        "0x10",
        "null",
    ],
)
def test_a_limit_that_is_no_number_from_1_to_100_is_refused(limit: str) -> None:
    with pytest.raises(Problem) as refused:
        page_request({"limit": limit}, "brd")
    assert (refused.value.status, refused.value.errors[0].location) == (422, "query.limit")


@pytest.mark.parametrize(
    "cursor",
    [
        "brd_",
        CURSOR[:-1],
        CURSOR + "0",
        new_id("gen", 1, bytes),
        "BRAND#" + CURSOR,
        CURSOR + "#UPLOAD#",
        "~",
    ],
)
def test_a_cursor_of_another_list_or_shape_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        page_request({"cursor": cursor}, "brd")
    assert refused.value.errors[0].location == "query.cursor"


def test_the_envelope_names_where_to_go_on() -> None:
    assert page([{"id": "1"}], None) == {"data": [{"id": "1"}], "next_cursor": None}
