"""Security events as an organization reads them.

ORG#<org_id>   EVT#<evt id>   event, outcome, actor, ip, request_id, reason, at, expires_at

Append-only: an event's id is fresh and nothing here changes or removes one; TTL does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imagelayer.platform.ids import new_id
from imagelayer.platform.table import Item, StoreUnavailable, Table

KEPT_SECONDS = 90 * 86_400
UNKNOWN = "unknown"  # events of no organization, such as guesses at addresses that have no account


class EventStore:
    """Events of an organization."""

    def __init__(self, table: Table, clock: Callable[[], float], lost: Callable[[], None]) -> None:
        self._table = table
        self._clock = clock
        self._lost = lost

    def keep(self, event: Mapping[str, Any]) -> None:
        """Keep one event. It is in the log already; what happened is not undone when this fails,
        so the failure is counted and goes no further."""
        now = self._clock()
        try:
            self._table.put(
                {
                    "pk": f"ORG#{event['org_id'] or UNKNOWN}",
                    "sk": f"EVT#{new_id('evt', now)}",
                    **{name: event[name] for name in event if name != "org_id"},
                    "at": int(now),
                    "expires_at": int(now) + KEPT_SECONDS,
                }
            )
        except StoreUnavailable:
            self._lost()

    def page(self, org_id: str, *, limit: int, after: str | None) -> list[Item]:
        """Events, newest first, past `after`; those that ran out are among them."""
        return self._table.query(
            f"ORG#{org_id}",
            prefix="EVT#",
            limit=limit,
            after=f"EVT#{after}" if after else None,
            newest_first=True,
        )
