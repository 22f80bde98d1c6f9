"""Balances grouped by pool: an allowance or a grant, all its shards together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imagelayer.credits.store import pool_of, until_of
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.credits.records import Balance


@dataclass
class Pool:
    """An allowance or a grant, all its shards together."""

    id: str
    expires_at: str
    amount: int = 0
    used: int = 0
    reserved: int = 0
    available: int = 0


def pools_of(balances: Iterable[Balance]) -> list[dict[str, Any]]:
    """Balances grouped by pool, in the order given."""
    pools: dict[str, Pool] = {}
    for balance in balances:
        name = pool_of(balance["name"])
        pool = pools.setdefault(name, Pool(name, rfc3339(until_of(balance["name"]))))
        pool.amount += balance["amount"]
        pool.used += balance["used"]
        pool.reserved += balance["reserved"]
        pool.available += balance["available"]
    return [asdict(pool) for pool in pools.values()]
