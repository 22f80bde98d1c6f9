"""Security events: one schema, written as structured log lines and kept for the organization.

Never a prompt, password, token, key, cookie, mail body or full address: only what is listed in
`record`. The catalogue is what `docs/security/events.md` publishes. The log line is the record of
truth; the copy that an organization reads through the API is made after it, and a copy that cannot
be made is counted and does not undo what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.principals import Origin, Principal

Outcome = Literal["success", "failure", "denied"]

EVENTS: Mapping[str, str] = {
    "auth.register": "A sign-up was accepted, or refused",
    "auth.register_existing": "A sign-up used an address that has an account",
    "auth.verification_sent": "A verification mail was sent",
    "auth.verification_requested": "A verification mail was requested again",
    "auth.verify_email": "An address was verified and its account created, or a token refused",
    "auth.login": "A password login",
    "auth.new_place": "A login came from a network not seen before",
    "auth.refresh": "A refresh token was exchanged for the next",
    "auth.refresh_reuse": "A spent refresh token came back; its session was ended",
    "auth.logout": "A session was ended by its user",
    "auth.session_ended": "A user ended another of their sessions",
    "auth.sessions_ended": "All sessions of a user were ended",
    "auth.password_forgot": "A password reset was requested",
    "auth.password_reset": "A password was reset with a mailed link, or a token refused",
    "auth.password_changed": "A password was changed by its owner",
    "auth.password_check": "The password entered before a sensitive change was wrong",
    "auth.totp_started": "The setup of a second factor was begun, or refused",
    "auth.totp_enabled": "A second factor was set up, or its first code was wrong",
    "auth.totp_disabled": "A second factor was removed, or its code was wrong",
    "auth.totp_refused": "A login's second-factor code was missing, wrong or already used",
    "auth.recovery_code_used": "A recovery code replaced the second factor",
    "auth.recovery_codes_renewed": "New recovery codes replaced the old ones",
    "auth.credential_refused": "A key or token was refused",
    "authz.denied": "A credential lacked the scope or role",
    "authz.address_denied": "A key was used from an address it is not meant for",
    "authz.origin_denied": "A session or the refresh cookie was used from another origin",
    "session.minted": "A session for an end user was minted",
    "session.revoked": "Sessions of end users were revoked",
    "session.cap_reached": "An end user's session had no generations left",
    "member.invited": "A member was invited into the organization",
    "member.invitation_withdrawn": "An invitation was withdrawn, or all that a member could "
    "not send any more",
    "member.joined": "An invitation was accepted, or its token refused",
    "member.role_changed": "A member's role was changed; their sessions were ended",
    "member.removed": "A member left or was removed; their sessions were ended",
    "owner.invited": "The operator invited the owner of a new organization",
    "organization.changed": "A setting of the organization was changed",
    "mail.capped": "A mail was not sent because of a limit",
    "mail.gathered": "A notice waits for its budget, to be mailed together with others",
    "mail.suppressed": "Mail to an address was stopped after a bounce or complaint",
    "mail.withheld": "A mail was not sent because its address is suppressed",
    "secret.rotated": "A signing key or pepper was rotated",
    "key.created": "An API key was created",
    "key.rotated": "An API key was given a new secret",
    "key.changed": "An API key was renamed, disabled, enabled, or bound to networks",
    "key.revoked": "An API key was revoked",
    "key.leaked": "An API key was found in public and revoked",
    "key.leak_reported": "A report of leaked keys was refused",
    "webhook.created": "A webhook endpoint was created",
    "webhook.changed": "A webhook endpoint was changed, disabled or enabled by a user",
    "webhook.rotated": "A webhook endpoint was given a new secret",
    "webhook.deleted": "A webhook endpoint was deleted",
    "webhook.disabled": "A webhook endpoint was disabled because its receiver was gone or down",
    "limit.denied": "A rate limit refused a call",
    "limit.unavailable": "The rate limiter could not answer, so the call was denied",
    "quota.alert": "An organization has used 80 or 100 percent of its credits",
    "quota.denied": "An organization had no credits left",
    "credits.granted": "The operator gave an organization credits",
    "plan.changed": "The operator changed an organization's allowance, limits or shards",
    "brand.upload_rejected": "An uploaded brand file was refused",
    "media.deleted": "Expired media was removed",
}

# What an attempt can lead to, besides its own outcome.
CONSEQUENCES = frozenset(
    {
        "auth.new_place",
        "auth.recovery_code_used",
        "auth.register_existing",
        "auth.verification_sent",
    }
)

Emit = Callable[[Mapping[str, Any]], None]


def is_attempt(event: str) -> bool:
    """Whether an event is the outcome of an attempt to authenticate, and not what follows one."""
    return event == "member.joined" or (
        event.startswith(("auth.", "authz.")) and event not in CONSEQUENCES
    )


class SecurityLog:
    """Writes security events through `emit`, and passes those of an organization to `keep`."""

    def __init__(self, emit: Emit, keep: Emit | None = None) -> None:
        self._emit = emit
        self._keep = keep
        self._attempts = 0  # records of attempts so far

    @contextmanager
    def attempt(
        self, event: str, origin: Origin, principal: Principal | None = None
    ) -> Iterator[None]:
        """Everything that one authentication attempt does. Whichever way out it takes, and
        whatever it forgot, one record of it is left.

        A use case that records its outcome has said more than can be said here; `event` is written
        where it has not: with the code of a refusal, or the kind of fault.
        """
        before = self._attempts
        org_id, actor = (principal.org_id, principal.actor) if principal else ("", "")
        outcome: Outcome = "success"
        reason = ""
        try:
            yield
        except Problem as refusal:
            outcome, reason = "failure", refusal.code
            raise
        except Exception as fault:
            outcome, reason = "failure", type(fault).__name__
            raise
        finally:
            if self._attempts == before:
                self.record(event, outcome, origin, org_id=org_id, actor=actor, reason=reason)

    def by(self, principal: Principal, origin: Origin | None) -> CallerLog:
        """The log of one authenticated caller's events."""
        return CallerLog(self, principal, origin)

    def record(
        self,
        event: str,
        outcome: Outcome,
        origin: Origin | None = None,
        *,
        org_id: str = "",
        actor: str = "",
        reason: str = "",
        keep_unknown: bool = False,
    ) -> None:
        """Write one event. Raises KeyError for an event that is not in the catalogue.

        Events of an organization are kept for it. `keep_unknown` keeps one without an organization
        as well: where the work done must not tell whether an account exists.
        """
        EVENTS[event]
        self._attempts += is_attempt(event)
        written = {
            "event": event,
            "outcome": outcome,
            "org_id": org_id,
            "actor": actor,
            "ip": origin.ip if origin else "",
            "request_id": origin.request_id if origin else "",
            "reason": reason,
        }
        self._emit(written)
        if self._keep is not None and (org_id or keep_unknown):
            self._keep(written)


@frozen
class CallerLog:
    """A security log that fills in who called and from where."""

    log: SecurityLog
    principal: Principal
    origin: Origin | None

    def record(self, event: str, outcome: Outcome = "success", *, reason: str = "") -> None:
        """Write one event of the caller. Raises KeyError for an event that is not in the
        catalogue."""
        self.log.record(
            event,
            outcome,
            self.origin,
            org_id=self.principal.org_id,
            actor=self.principal.actor,
            reason=reason,
        )
