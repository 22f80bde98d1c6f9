"""Balances by pool: an allowance or a grant, all its shards together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from imagelayer.platform.table import Item
from imagelayer.platform.times import rfc3339


@dataclass
class Pool:
    """An allowance or a grant, all its shards together."""

    id: str
    expires_at: str
    numbers: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("amount", "used", "reserved", "available"), 0)
    )


def pools_of(balances: list[Item]) -> list[dict[str, Any]]:
    """Balances by pool, those that expire first first."""
    pools: dict[str, Pool] = {}
    for balance in balances:
        until, name, _ = balance["name"].split("#")
        pool = pools.setdefault(name, Pool(name, rfc3339(int(until))))
        for number in pool.numbers:
            pool.numbers[number] += balance[number]
    return [
        {"id": pool.id, "expires_at": pool.expires_at, **pool.numbers} for pool in pools.values()
    ]
