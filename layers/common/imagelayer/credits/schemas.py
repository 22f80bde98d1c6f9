"""Shapes of the API: credits."""

from __future__ import annotations

from pydantic import MISSING

from imagelayer.api.schemas import Answer, Shape, Timestamp
from imagelayer.platform.principals import Mode


class UsageRow(Shape):
    """What a group used. It has only the fields it was grouped by. One is null when it does not
    apply, such as the key of a request from the dashboard."""

    generations: int
    """Finished generations."""
    images: int
    """Finished images."""
    credits: int
    """Credits they cost."""
    day: str | MISSING | None = MISSING
    """UTC, `YYYY-MM-DD`."""
    key_id: str | MISSING | None = MISSING
    """The key; null for the dashboard."""
    model: str | MISSING | None = MISSING
    """The model."""
    brand_id: str | MISSING | None = MISSING
    end_user_id: str | MISSING | None = MISSING
    """Your own id of the user; null for your own requests."""
    mode: Mode | MISSING | None = MISSING


class UsageTotal(Answer):
    """The totals of the range."""

    generations: int
    """Finished generations."""
    images: int
    """Finished images."""
    credits: int
    """Credits they cost."""


class CreditPool(Answer):
    """A month's allowance or a grant; `amount` is `used` and `reserved` and `available`."""

    id: str
    """`allowance` of a month, or a grant."""
    expires_at: Timestamp
    amount: int
    """The credits it started with: `used` + `reserved` + `available`."""
    used: int
    """Spent."""
    reserved: int
    """Held for jobs that are not finished."""
    available: int
    """What is left."""


class CreditStanding(Answer):
    """Credits available now: this month's allowance, and grants in order of expiry."""

    available: int
    """Credits of all pools together."""
    allowance: CreditPool
    """This month's allowance."""
    grants: list[CreditPool]
    """Further credits, soonest to expire first."""


class UsageReport(Answer):
    """Finished generations from `start` to `end` inclusive (UTC), and the remaining credits."""

    start: str
    """First day, UTC."""
    end: str
    """Last day, UTC."""
    group_by: list[str]
    """What the rows are grouped by."""
    data: list[UsageRow]
    """One entry per combination of the groups."""
    total: UsageTotal
    """The totals of the range."""
    credits: CreditStanding
    """The remaining credits."""
