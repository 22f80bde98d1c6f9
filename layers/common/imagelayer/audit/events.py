"""The security events of an organization, as its members read them."""

from __future__ import annotations

from typing import Any

from imagelayer.audit.store import EventStore, SecurityEvent
from imagelayer.platform.frozen import frozen
from imagelayer.platform.pages import cut
from imagelayer.platform.principals import Principal
from imagelayer.platform.times import rfc3339


@frozen
class SecurityEvents:
    """The use case of reading events."""

    store: EventStore

    def list_security_events(
        self, principal: Principal, *, limit: int, after: str | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the organization's events, newest first, and the cursor of the next."""
        found = self.store.list_security_events(principal.org_id, limit=limit + 1, after=after)
        events, cursor = cut(found, limit)
        return [_view(each) for each in events if each["expires_at"] > now], cursor


def _view(event: SecurityEvent) -> dict[str, Any]:
    return {
        "id": event["id"],
        "event": event["event"],
        "outcome": event["outcome"],
        "actor": event["actor"],
        "ip": event["ip"],
        "request_id": event["request_id"],
        "reason": event["reason"],
        "created_at": rfc3339(event["at"]),
    }
