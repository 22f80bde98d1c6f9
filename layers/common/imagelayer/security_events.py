"""Security events: one schema, written as structured log lines.

Never a prompt, password, token, key, cookie, mail body or full address: only what is listed in
`record`. The catalogue is what `docs/security/events.md` publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from imagelayer.principals import Origin

Outcome = Literal["success", "failure", "denied"]

EVENTS: Mapping[str, str] = {
    "auth.register": "An account was created, or a sign-up was refused",
    "auth.register_existing": "A sign-up used an address that has an account",
    "auth.verification_sent": "A verification mail was sent again",
    "auth.verify_email": "An address was verified, or a token refused",
    "auth.login": "A password login",
    "auth.refresh": "A refresh token was traded",
    "auth.refresh_reuse": "A spent refresh token came back; its session was ended",
    "auth.logout": "A session was ended by its user",
    "auth.credential_refused": "A key or token was refused",
    "authz.denied": "A credential lacked the scope or role",
    "key.created": "An API key was created",
    "key.rotated": "An API key got a new secret",
    "key.revoked": "An API key was revoked",
    "limit.denied": "A rate limit refused a call",
    "limit.unavailable": "The rate limiter could not answer, so the call was denied",
    "quota.denied": "An organization had no credits left",
    "brand.upload_rejected": "An uploaded brand file was refused",
    "media.deleted": "Expired media was removed",
}

Emit = Callable[[Mapping[str, Any]], None]


class SecurityLog:
    """Writes security events through `emit`."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def record(
        self,
        event: str,
        outcome: Outcome,
        origin: Origin | None = None,
        *,
        org_id: str = "",
        actor: str = "",
        reason: str = "",
    ) -> None:
        """Write one event. Raises KeyError for an event that is not in the catalogue."""
        EVENTS[event]
        self._emit(
            {
                "event": event,
                "outcome": outcome,
                "org_id": org_id,
                "actor": actor,
                "ip": origin.ip if origin else "",
                "request_id": origin.request_id if origin else "",
                "reason": reason,
            }
        )
