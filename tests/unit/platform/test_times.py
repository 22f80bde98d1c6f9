"""Times: RFC 3339 in UTC out, RFC 3339 with a zone in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.platform.times import (
    end_of_utc_day,
    end_of_utc_month,
    parse_rfc3339,
    rfc3339,
    utc_day,
    utc_month,
)

NEW_YEAR = 1767225600


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NEW_YEAR, "2026-01-01T00:00:00Z"),
        (NEW_YEAR + 0.999, "2026-01-01T00:00:00Z"),
        (NEW_YEAR - 1, "2025-12-31T23:59:59Z"),
    ],
)
def test_times_are_shown_to_the_second(seconds: float, shown: str) -> None:
    assert rfc3339(seconds) == shown


@given(st.integers(0, 4_102_444_800))
def test_what_is_shown_is_read_back(seconds: int) -> None:
    assert parse_rfc3339(rfc3339(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01T01:00:00+01:00", NEW_YEAR),
        ("2025-12-31T19:00:00-05:00", NEW_YEAR),
        ("2026-01-01T00:00:00.500Z", NEW_YEAR + 0.5),
        ("2026-01-01T00:00:00.5000000Z", NEW_YEAR + 0.5),  # .NET writes seven digits
        ("2026-01-01T00:00:00.500000000Z", NEW_YEAR + 0.5),  # Go up to nine
        ("2026-01-01T00:00:00.0000009999Z", NEW_YEAR),  # cut off, not rounded
        ("2026-01-01T00:00:00." + "0" * 200 + "z", NEW_YEAR),
        ("2026-01-01t00:00:00z", NEW_YEAR),
        ("2026-01-01T00:00:00-00:00", NEW_YEAR),
        ("2025-12-31T23:59:60Z", NEW_YEAR),  # a leap second
        ("2025-12-31T18:59:60.9-05:00", NEW_YEAR),
    ],
)
def test_every_zone_is_read(text: str, seconds: float) -> None:
    assert parse_rfc3339(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-01-01",
        "2026-01-01T00:00:00",  # no zone
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-W01-1T00:00:00Z",  # ISO 8601, not RFC 3339
        "20260101T000000Z",
        "2026-01-01T00Z",
        "1767225600",
        "2026-01-01T00:00:00Z\n",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:60",
        "2026-01-01T00:00:00+0100",
        "2026-01-01 00:00:00Z",
        "2026-01-01T12:00:60Z",  # a leap second ends a day of UTC
        "2026-01-01T23:59:60+01:00",
        "0000-01-01T00:00:00Z",
        "\u0662026-01-01T00:00:00Z",
    ],
)
def test_what_is_not_rfc_3339_is_refused(text: str) -> None:
    assert parse_rfc3339(text) is None


@given(st.integers(0, 4_102_444_800))
def test_a_day_ends_where_the_next_begins(seconds: int) -> None:
    end = end_of_utc_day(seconds)
    assert seconds < end <= seconds + 86_400
    assert utc_day(end - 1) == utc_day(seconds) != utc_day(end)


def test_the_month_turns_at_utc_midnight() -> None:
    assert (utc_month(NEW_YEAR - 1), utc_month(NEW_YEAR)) == ("2025-12", "2026-01")


@given(st.integers(0, 4_102_444_800))
def test_a_month_ends_where_the_next_begins(seconds: int) -> None:
    end = end_of_utc_month(seconds)
    assert seconds < end <= seconds + 31 * 86_400
    assert utc_month(end - 1) == utc_month(seconds)
    assert rfc3339(end)[8:] == "01T00:00:00Z"


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2024-02-29T12:00:00Z", "2024-03-01T00:00:00Z"),
        ("2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"),
        ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
    ],
)
def test_months_end_in_leap_years_and_with_the_year(moment: str, end: str) -> None:
    assert rfc3339(end_of_utc_month(parse_rfc3339(moment) or 0)) == end
