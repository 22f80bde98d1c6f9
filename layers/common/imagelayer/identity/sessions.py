"""The life of a dashboard session after its login.

A session is one item. Its refresh token rotates: each refresh replaces the hash, and a spent token
that comes back means that two parties hold the family, so the session ends. Ending deletes the
item, and access tokens, which are checked against it on every call, end with it.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, cast

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.access_tokens import AccessTokens, SessionTokens
from imagelayer.identity.places import network
from imagelayer.identity.refresh_tokens import RefreshToken
from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.store import AccountStore
from imagelayer.identity.user_changes import UserChanges
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import ConditionFailed
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.identity.records import DashboardSession

ABSOLUTE_SECONDS = 30 * 86_400
IDLE_SECONDS = 7 * 86_400
# Long enough for tabs that wake together, too short for a thief who has to carry a token away.
REUSE_GRACE_SECONDS = 10
# More than anybody needs, and few enough to end in one transaction of 100 actions.
MAX_SESSIONS = 40


@frozen
class Sessions:
    """The use cases of a session."""

    accounts: AccountStore
    sessions: SessionStore
    user_changes: UserChanges
    access_tokens: AccessTokens
    security: SecurityLog

    def refresh(self, origin: Origin, now: float, refresh_token: str) -> SessionTokens:
        """Trade a refresh token. Raises Problem 401; a spent token also ends the session.

        Everything that can fail comes before the trade. A token spent by a trade whose answer was
        lost is good for the same successor for REUSE_GRACE_SECONDS, from the same network and
        client only: a thief who comes from elsewhere ends the family at once.
        """
        token = RefreshToken.parse(refresh_token)
        if token is None:
            reason = "unreadable token" if refresh_token else "missing"
            raise Problem("unauthenticated", "Please log in again.", reason=reason)
        session = self.sessions.get_session(token.user_id, token.session_id)
        user = self.accounts.get_user(token.user_id) if session else None
        if session is None or user is None:
            self.security.record("auth.refresh", "failure", origin, reason="unknown session")
            raise Problem("unauthenticated", "Please log in again.")
        answer = self.access_tokens.issue(user, session, now)
        successor = token.successor(session["chain_key"])
        try:
            self.sessions.refresh(
                session,
                token.hash,
                successor.hash,
                int(now),
                {
                    "idle_until": int(now) + IDLE_SECONDS,
                    "ip": origin.ip,
                    "client": origin.client,
                    "traded_from": _place(origin),
                },
            )
        except ConditionFailed as failure:
            current = cast("DashboardSession | None", failure.item)
            if not _was_just_traded(origin, now, token, current, successor):
                self._refuse_refresh(origin, now, token, current)
                raise Problem("unauthenticated", "Please log in again.") from None
        self.security.record(
            "auth.refresh", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        return SessionTokens(answer, successor.text, session["expires_at"] - int(now))

    def logout(self, origin: Origin, refresh_token: str) -> None:
        """End the session of a refresh token, current or spent.

        Without a token, and for a session that has ended already, there is nothing left to end.
        Raises Problem 401 for a token that ends nothing: it is not one, or not of its session's
        family.
        """
        if not refresh_token:
            return
        token = RefreshToken.parse(refresh_token)
        if token is None or not self._end(origin, token):
            raise Problem(
                "unauthenticated",
                "The refresh cookie is not valid, so no session was ended. Log in to end sessions.",
                reason="unknown token" if token else "unreadable token",
            )

    def end_replaced(self, origin: Origin, refresh_token: str) -> None:
        """End the session of a refresh token that a login replaces; any other text ends nothing."""
        token = RefreshToken.parse(refresh_token)
        if token is not None:
            self._end(origin, token)

    def _end(self, origin: Origin, token: RefreshToken) -> bool:
        """End a token's session; False if it goes on, because the token is not of its family."""
        session = self.sessions.get_session(token.user_id, token.session_id)
        if session is None:
            return True
        if not token.is_of_family(session["family_hash"]):
            return False
        self.sessions.end_session(token.user_id, token.session_id)
        self.security.record(
            "auth.logout",
            "success",
            origin,
            org_id=session["org_id"],
            actor=session["user_id"],
        )
        return True

    def get_me(self, principal: Principal) -> dict[str, Any]:
        """The user, organization and role of an access token. Raises Problem 401."""
        user = self.accounts.get_user(principal.actor)
        if user is None:
            raise Problem("unauthenticated", "Please log in again.")
        return {**self.access_tokens.describe(user), "role": principal.role}

    def list_sessions(self, principal: Principal, now: float) -> list[dict[str, Any]]:
        """The caller's sessions that have not expired, the newest first."""
        found = self.sessions.list_sessions(principal.actor)
        return [_view(each, principal) for each in reversed(found) if is_active(each, now)]

    def end_session(self, principal: Principal, origin: Origin, session_id: str) -> None:
        """End one of the caller's sessions. Raises Problem 404."""
        known = is_id("ses", session_id)
        if not known or self.sessions.get_session(principal.actor, session_id) is None:
            raise Problem("not_found", "There is no such session.")
        self.sessions.end_session(principal.actor, session_id)
        self.security.by(principal, origin).record("auth.session_ended", reason=session_id)

    def end_all_sessions(self, principal: Principal, origin: Origin) -> None:
        """End all of the caller's sessions, including the calling one."""
        self.user_changes.end_all_sessions(principal.actor)
        self.security.by(principal, origin).record("auth.sessions_ended")

    def _refuse_refresh(
        self, origin: Origin, now: float, token: RefreshToken, session: DashboardSession | None
    ) -> None:
        """Log why; a spent token of a session that goes on ends the whole family.

        Session ids are in access tokens and prove nothing. The family secret is in refresh tokens
        alone, so a caller who presents it holds, or held, one of this session's.
        """
        alive = session is not None and is_active(session, now)
        if session is not None and alive and token.is_of_family(session["family_hash"]):
            self.sessions.end_session(token.user_id, token.session_id)
            self.security.record(
                "auth.refresh_reuse",
                "denied",
                origin,
                org_id=session["org_id"],
                actor=session["user_id"],
            )
            return
        reason = "ended" if session is None else "unknown token" if alive else "expired"
        self.security.record("auth.refresh", "failure", origin, reason=reason)


def is_active(session: DashboardSession, now: float) -> bool:
    """Whether a session has neither expired nor been idle for too long."""
    return min(session["expires_at"], session["idle_until"]) > now


def _was_just_traded(
    origin: Origin,
    now: float,
    token: RefreshToken,
    session: DashboardSession | None,
    successor: RefreshToken,
) -> bool:
    """Whether this is the token that the last trade spent, moments ago and from here."""
    return bool(
        session is not None
        and is_active(session, now)
        and token.is_of_family(session["family_hash"])
        and hmac.compare_digest(session.get("spent_hash", ""), token.hash)
        and hmac.compare_digest(session["refresh_hash"], successor.hash)
        and now - session["refreshed_at"] <= REUSE_GRACE_SECONDS
        and session.get("traded_from") == _place(origin)
    )


def _place(origin: Origin) -> str:
    return hashlib.sha256(f"{network(origin.ip)}\x00{origin.client}".encode()).hexdigest()[:32]


def _view(session: DashboardSession, principal: Principal) -> dict[str, Any]:
    return {
        "id": session["id"],
        "current": session["id"] == principal.session_id,
        "client": session["client"],
        "ip": session["ip"],
        "created_at": rfc3339(session["created_at"]),
        "refreshed_at": rfc3339(session["refreshed_at"]),
        "expires_at": rfc3339(min(session["expires_at"], session["idle_until"])),
    }
