"""Security events as an organization reads them.

ORG#<org_id>   EVT#<evt id>   event, outcome, actor, ip, request_id, reason, at, expires_at

Append-only: an event's id is fresh and nothing here changes or removes one; TTL does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, cast

from imagelayer.platform.ids import new_id
from imagelayer.platform.table import StoreUnavailable, Table

KEPT_SECONDS = 90 * 86_400
UNKNOWN = "unknown"  # events of no organization, such as logins with unknown addresses


class SecurityEvent(TypedDict):
    """One event. Times are seconds since the epoch."""

    id: str
    event: str
    outcome: str
    actor: str
    ip: str
    request_id: str
    reason: str
    at: int
    expires_at: int


class EventStore:
    """Events of an organization."""

    def __init__(self, table: Table, clock: Callable[[], float], lost: Callable[[], None]) -> None:
        self._table = table
        self._clock = clock
        self._lost = lost

    def keep(self, event: Mapping[str, Any]) -> None:
        """Keep one event. The log has it already, and what happened is not undone when this fails,
        so a failure is only counted."""
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

    def list_security_events(
        self, org_id: str, *, limit: int, after: str | None
    ) -> list[SecurityEvent]:
        """Events, newest first, past `after`; expired ones are among them."""
        found = self._table.query(
            f"ORG#{org_id}",
            prefix="EVT#",
            limit=limit,
            after=f"EVT#{after}" if after else None,
            newest_first=True,
        )
        events = ({**item, "id": item["sk"].removeprefix("EVT#")} for item in found)
        return [cast("SecurityEvent", event) for event in events]
