"""RFC 3339 in UTC, to the second, for everything the API shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# RFC 3339 §5.6: any number of fraction digits, `t` and `z` in either case, hours to 23.
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T([01]\d|2[0-3])(:\d\d):(\d\d)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)
RFC3339_FORM = "must be a time with its zone, such as 2027-01-31T12:00:00Z (RFC 3339)"


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

    Microseconds count, further digits are cut off. A leap second is the second after it, as clocks
    that do not know it have it; it is possible only at the end of a minute of 23:59 UTC.
    `fromisoformat` reads more than RFC 3339 allows, such as week dates, so the form comes first.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    day, hour, minute, second, fraction, zone, _ = found.groups()
    is_leap = second == "60"
    if is_leap:
        second, fraction = "59", None
    digits = (fraction or "")[:7]
    try:
        moment = datetime.fromisoformat(
            f"{day}T{hour}{minute}:{second}{digits}{zone.upper()}"
        ).timestamp()
    except (ValueError, OverflowError):
        return None
    if not is_leap:
        return moment
    return moment + 1 if (int(moment) + 1) % 86_400 == 0 else None
