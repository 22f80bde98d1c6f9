"""Balances grouped by pool: an allowance or a grant, all its shards together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from imagelayer.credits.store import pool_of, until_of
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.credits.records import Balance


def pools_of(balances: Iterable[Balance]) -> list[dict[str, Any]]:
    """Balances grouped by pool, in the order given."""
    pools: dict[str, dict[str, Any]] = {}
    for balance in balances:
        name = pool_of(balance["name"])
        pool = pools.setdefault(
            name, {"id": name, "expires_at": rfc3339(until_of(balance["name"]))}
        )
        amounts = {
            "amount": balance["amount"],
            "used": balance["used"],
            "reserved": balance["reserved"],
            "available": balance["available"],
        }
        for kind, amount in amounts.items():
            pool[kind] = pool.get(kind, 0) + amount
    return list(pools.values())
