"""Shapes of the API: credits."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from imagelayer.api.schemas import Answer, Mode, Timestamp


class UsageRow(Answer):
    """What a group used. Of the fields that name it only those it was grouped by are there; one is
    null where there was none, such as the key of a request from the dashboard."""

    generations: int
    images: int
    credits: int
    day: str | UnsetType | None = UNSET
    key_id: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    brand_id: str | UnsetType | None = UNSET
    end_user_id: str | UnsetType | None = UNSET
    mode: Mode | UnsetType | None = UNSET


class UsageTotal(Answer):
    """Everything in the range."""

    generations: int
    images: int
    credits: int


class CreditPool(Answer):
    """A month's allowance or a grant; `amount` is `used` and `reserved` and `available`."""

    id: str
    expires_at: Timestamp
    amount: int
    used: int
    reserved: int
    available: int


class CreditStanding(Answer):
    """What may be used now: this month's allowance, and the grants in the order they expire in."""

    available: int
    allowance: CreditPool
    grants: list[CreditPool]


class UsageReport(Answer):
    """Finished generations from `start` to `end`, both days (UTC) included; and what is left."""

    start: str
    end: str
    group_by: list[str]
    data: list[UsageRow]
    total: UsageTotal
    credits: CreditStanding
