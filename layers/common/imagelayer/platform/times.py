"""RFC 3339 in UTC, to the second, for everything the API shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def rfc3339(seconds: float) -> str:
    """`1767225600` -> `2026-01-01T00:00:00Z`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_day(seconds: float) -> str:
    """`1767225600` -> `2026-01-01`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d")


def utc_month(seconds: float) -> str:
    """`1767225600` -> `2026-01`."""
    return utc_day(seconds)[:7]


def end_of_utc_month(seconds: float) -> int:
    """The first second of the next UTC month."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())


def end_of_utc_day(seconds: float) -> int:
    """The first second of the next UTC day."""
    return (int(seconds) // 86_400 + 1) * 86_400


def parse_rfc3339(text: str) -> float | None:
    """Seconds since the epoch, or None when `text` is not RFC 3339 `date-time`.

    `fromisoformat` reads more than RFC 3339 allows, such as week dates, so the form comes first.
    """
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None
