"""Shapes of the API: credits."""

from __future__ import annotations

from pydantic import MISSING

from imagelayer.api.schemas import Answer, Shape, Timestamp
from imagelayer.platform.principals import Mode


class UsageRow(Shape):
    """What a group used. Of the fields that name it only those it was grouped by are there; one is
    null where there was none, such as the key of a request from the dashboard."""

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
    """Everything in the range."""

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
    """Credits it began with: `used` + `reserved` + `available`."""
    used: int
    """Spent."""
    reserved: int
    """Held for jobs that are not finished."""
    available: int
    """What is left."""


class CreditStanding(Answer):
    """What may be used now: this month's allowance, and the grants in the order they expire in."""

    available: int
    """Credits of all pools together."""
    allowance: CreditPool
    """This month's allowance."""
    grants: list[CreditPool]
    """Further credits, soonest to expire first."""


class UsageReport(Answer):
    """Finished generations from `start` to `end`, both days (UTC) included; and what is left."""

    start: str
    """First day, UTC."""
    end: str
    """Last day, UTC."""
    group_by: list[str]
    """What the rows are grouped by."""
    data: list[UsageRow]
    total: UsageTotal
    """Everything in the range."""
    credits: CreditStanding
    """What is left now."""
