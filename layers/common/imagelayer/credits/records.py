"""The shapes of what the credit store hands out. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

MovementKind = Literal["allowance", "grant", "adjust", "reserve", "settle", "release"]


class Balance(TypedDict):
    """A shard of an allowance or a grant. `name` says when it expires, its pool and its shard; the
    marks say that owners were alerted at a percentage."""

    name: str
    amount: int
    used: int
    reserved: int
    available: int
    alerted_80: NotRequired[bool]
    alerted_100: NotRequired[bool]


class Movement(TypedDict):
    """An entry of the ledger: credits by the name of their balance. Of a settlement for less than
    was held, `returned` went back."""

    kind: MovementKind
    amounts: dict[str, int]
    returned: NotRequired[dict[str, int]]
    at: int
