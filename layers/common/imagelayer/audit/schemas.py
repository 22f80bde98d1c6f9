"""Shapes of the API: audit."""

from __future__ import annotations

from typing import Literal

from imagelayer.api.schemas import Answer, Timestamp


class SecurityEvent(Answer):
    """Something that happened to the organization's security; see docs/security/events.md."""

    id: str
    event: str
    outcome: Literal["success", "failure", "denied"]
    actor: str
    ip: str
    request_id: str
    reason: str
    created_at: Timestamp


class SecurityEventList(Answer):
    """A page of events, the newest first."""

    data: list[SecurityEvent]
    next_cursor: str | None
