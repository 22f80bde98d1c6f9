"""Shapes of the API: audit."""

from __future__ import annotations

from typing import Literal

from imagelayer.api.schemas import Answer, Timestamp


class SecurityEvent(Answer):
    """A security event of the organization; docs/security/events.md."""

    id: str
    event: str
    """What happened; docs/security/events.md lists the names."""
    outcome: Literal["success", "failure", "denied"]
    """How it ended."""
    actor: str
    """Who caused it: the id of a user, a key or a session."""
    ip: str
    """The address it came from."""
    request_id: str
    """The request, as in its `x-request-id`."""
    reason: str
    """Why, in a few words; empty when there is nothing to add."""
    created_at: Timestamp


class SecurityEventList(Answer):
    """A page of events, the newest first."""

    data: list[SecurityEvent]
    next_cursor: str | None
