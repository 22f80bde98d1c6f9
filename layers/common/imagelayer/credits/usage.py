"""What an organization used, and what it has left."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from imagelayer.credits.parameters import END, GROUP_BY, MAX_DAYS, START
from imagelayer.credits.pools import pools_of
from imagelayer.credits.store import CreditStore
from imagelayer.credits.wallet import allowance_of
from imagelayer.platform.errors import invalid
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.principals import Principal
from imagelayer.platform.times import end_of_utc_month, rfc3339, utc_day, utc_month

_COLUMNS = {
    "day": "day",
    "key": "key_id",
    "model": "model",
    "brand": "brand_id",
    "end_user": "end_user_id",
    "mode": "mode",
}
_KIND = ("key_id", "user_id", "model", "brand_id", "mode")
_NUMBERS = ("generations", "images", "credits")
# Rows read for one response: far fewer than a function can sum within its ten seconds.
MAX_ROWS = 20_000


@frozen
class UsageReport:
    """The use case of one report."""

    credits: CreditStore
    monthly_credits: int

    def get_usage(
        self, principal: Principal, now: float, query: Mapping[str, str]
    ) -> dict[str, Any]:
        """Usage from `start` to `end`, both days included, summed by `group_by`.

        Raises Problem 422. Rows are written by the transaction that charges, so they add up to
        the ledger's settlements.
        """
        today = utc_day(now)
        start = START.day(query) or date.fromisoformat(today[:8] + "01")
        end = END.day(query) or max(date.fromisoformat(today), start)
        if end < start:
            raise invalid("query.end", "must not be before start")
        if (end - start).days >= MAX_DAYS:
            raise invalid("query.end", f"must be at most {MAX_DAYS - 1} days after start")
        groups = tuple(dict.fromkeys((GROUP_BY.text(query) or "day").split(",")))
        all_rows = self._rows(principal.org_id, start, end, by_end_user=False)
        rows = all_rows
        if "end_user" in groups:
            by_end_user = self._rows(principal.org_id, start, end, by_end_user=True)
            rows = by_end_user + _without_end_user(all_rows, by_end_user)
        plan = self.credits.plan(principal.org_id).get("terms") or {}
        balances = pools_of(self.credits.balances(principal.org_id, int(now)))
        return {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "group_by": list(groups),
            "data": _sum(rows, groups),
            "total": _numbers(all_rows),
            "credits": _standing(balances, allowance_of(plan, self.monthly_credits), now),
        }

    def _rows(
        self, org_id: str, start: date, end: date, *, by_end_user: bool
    ) -> list[dict[str, Any]]:
        rows = self.credits.usage(
            org_id,
            start.isoformat(),
            end.isoformat(),
            by_end_user=by_end_user,
            limit=MAX_ROWS + 1,
        )
        if len(rows) > MAX_ROWS:
            raise invalid(
                "query.end", "covers more rows than one response can hold; request fewer days"
            )
        return rows


def _without_end_user(
    rows: list[dict[str, Any]], by_end_user: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Usage without an end user: each kind's total minus that of its end users."""
    left: dict[tuple[Any, ...], dict[str, Any]] = {}
    for sign, each in [*((1, row) for row in rows), *((-1, row) for row in by_end_user)]:
        kind = (each["day"], *(each.get(name) for name in _KIND))
        found = left.setdefault(kind, {**each, "end_user_id": None, **dict.fromkeys(_NUMBERS, 0)})
        for name in _NUMBERS:
            found[name] += sign * each[name]
    return [row for row in left.values() if any(row[name] for name in _NUMBERS)]


def _sum(rows: list[dict[str, Any]], groups: tuple[str, ...]) -> list[dict[str, Any]]:
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        values = tuple(str(row.get(_COLUMNS[group]) or "") for group in groups)
        found.setdefault(values, []).append(row)
    return [
        {
            **{_COLUMNS[group]: value or None for group, value in zip(groups, values, strict=True)},
            **_numbers(each),
        }
        for values, each in sorted(found.items())
    ]


def _numbers(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in _NUMBERS}


def _standing(pools: list[dict[str, Any]], allowance: int, now: float) -> dict[str, Any]:
    """This month's allowance, created or not yet, and the grants."""
    month = utc_month(now)
    unopened = {
        "id": month,
        "expires_at": rfc3339(end_of_utc_month(now)),
        "amount": allowance,
        "used": 0,
        "reserved": 0,
        "available": allowance,
    }
    own = next((pool for pool in pools if pool["id"] == month), unopened)
    grants = [pool for pool in pools if is_id("crg", pool["id"])]
    return {
        "available": own["available"] + sum(grant["available"] for grant in grants),
        "allowance": own,
        "grants": grants,
    }
