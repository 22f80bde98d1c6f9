"""Builds the objects of the audit domain."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.audit.events import SecurityEvents
    from imagelayer.audit.store import EventStore


class AuditWiring(Part):
    """Security events: written to the log, kept for the organization."""

    @cached_property
    def security(self) -> SecurityLog:
        """Where events are written: to the log and, where the function has the table, for their
        organization."""

        def emit(event: Mapping[str, Any]) -> None:
            self.platform.log.info("security_event", **event)

        if "EVENTS_TABLE" not in self.platform.settings.environment:
            return SecurityLog(emit)

        def keep(event: Mapping[str, Any]) -> None:
            # The table is opened with the first event that is kept; most calls cause none.
            self.event_store.keep(event)

        return SecurityLog(emit, keep)

    @cached_property
    def security_events(self) -> SecurityEvents:
        """The organization's view of its events."""
        from imagelayer.audit.events import SecurityEvents

        return SecurityEvents(self.event_store)

    @cached_property
    def event_store(self) -> EventStore:
        from imagelayer.audit.store import EventStore

        return EventStore(
            self.platform.table("EVENTS_TABLE"),
            self.platform.clock,
            lambda: self.platform.count("SecurityEventNotKept"),
        )
