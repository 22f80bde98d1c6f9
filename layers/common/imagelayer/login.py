"""Password login and the life of a dashboard session.

A session is one item. Its refresh token rotates: each trade replaces the hash, and a spent token
that comes back means two parties hold the family, so the session ends. Ending deletes the item,
and access tokens, which are checked against it on every call, die with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imagelayer.email_policy import lookup_address
from imagelayer.errors import Problem
from imagelayer.ids import is_id, new_id
from imagelayer.passwords import Peppers, verify_password
from imagelayer.principals import Origin, Principal
from imagelayer.rate_limits import POLICIES
from imagelayer.security_events import SecurityLog
from imagelayer.stores.accounts import AccountStore
from imagelayer.stores.counters import CounterStore
from imagelayer.stores.sessions import SessionStore
from imagelayer.stores.table import ConditionFailed
from imagelayer.times import rfc3339
from imagelayer.tokens import ACCESS_SECONDS, SigningKey, mint_access

ABSOLUTE_SECONDS = 30 * 86_400
IDLE_SECONDS = 7 * 86_400
REFRESH_COOKIE = "__Host-il_refresh"


@dataclass(frozen=True)
class Session:
    """What a login or refresh hands out."""

    answer: dict[str, Any]
    cookie: str


@dataclass(frozen=True)
class Login:
    """The use cases of a session."""

    accounts: AccountStore
    sessions: SessionStore
    counters: CounterStore
    security: SecurityLog
    peppers: Callable[[], Peppers]
    signing_key: Callable[[], SigningKey]
    bcrypt_cost: int
    issuer: str

    def login(self, origin: Origin, now: float, *, email: str, password: str) -> Session:
        """Password to session. Raises Problem 401 or 403, or Limited.

        The account's own limit is spent before the hash, on known and unknown addresses alike,
        and one bcrypt is spent either way.
        """
        canonical = lookup_address(email)
        subject = hashlib.sha256((canonical or email).encode()).hexdigest()
        self.counters.admit(subject, POLICIES["login-account"], int(now * 1000))
        user = self.accounts.by_email(canonical) if canonical else None
        # Before the address is verified the password is the pending registration's.
        stored = user.get("password_hash") or user["pending"]["password_hash"] if user else None
        correct = verify_password(password, stored, self.peppers(), cost=self.bcrypt_cost)
        if user is None or not correct:
            self._refuse(origin, user, "wrong password" if user else "unknown address")
            raise Problem("invalid_credentials", "The email address or password is wrong.")
        if not user.get("verified_at"):
            self._refuse(origin, user, "not verified")
            raise Problem(
                "email_not_verified", "Confirm your address with the link in the mail first."
            )
        role = self.accounts.role(user["org_id"], user["id"])
        if role is None:
            self._refuse(origin, user, "not a member")
            raise Problem("invalid_credentials", "The email address or password is wrong.")
        session_id, refresh = new_id("ses", now), secrets.token_urlsafe(32)
        self.sessions.create(
            {
                "id": session_id,
                "user_id": user["id"],
                "org_id": user["org_id"],
                "role": role,
                "refresh_hash": _hash(refresh),
                "created_at": int(now),
                "idle_until": int(now) + IDLE_SECONDS,
                "expires_at": int(now) + ABSOLUTE_SECONDS,
            }
        )
        self.security.record(
            "auth.login", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        return self._hand_out(user, session_id, refresh, now, ABSOLUTE_SECONDS)

    def refresh(self, origin: Origin, now: float, cookie: str) -> Session:
        """Trade a refresh token. Raises Problem 401; a spent token also ends the session."""
        session_id, secret = _parse_cookie(cookie)
        replacement = secrets.token_urlsafe(32)
        try:
            session = self.sessions.rotate_refresh(
                session_id, _hash(secret), _hash(replacement), now, int(now) + IDLE_SECONDS
            )
        except ConditionFailed as failure:
            self._refuse_refresh(origin, now, session_id, secret, failure.item)
            raise Problem("unauthenticated", "Please log in again.") from None
        user = self.accounts.user(session["user_id"])
        if user is None:
            raise Problem("unauthenticated", "Please log in again.")
        self.security.record(
            "auth.refresh", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        return self._hand_out(user, session_id, replacement, now, session["expires_at"] - int(now))

    def logout(self, origin: Origin, cookie: str) -> None:
        """End the session of a refresh cookie; one that is not valid changes nothing."""
        try:
            session_id, secret = _parse_cookie(cookie)
        except Problem:
            return
        if self.sessions.end(session_id, refresh_hash=_hash(secret)):
            self.security.record("auth.logout", "success", origin, actor=session_id)

    def me(self, principal: Principal) -> dict[str, Any]:
        """The user, organization and role of an access token."""
        user = self.accounts.user(principal.actor)
        if user is None:
            raise Problem("unauthenticated", "Please log in again.")
        return {**self._who(user), "role": principal.role}

    def _refuse_refresh(
        self, origin: Origin, now: float, session_id: str, secret: str, item: dict[str, Any] | None
    ) -> None:
        """Log why; a token that was valid before its successor ends the whole family.

        Which tokens count as spent: the last one for certain, and any other secret for a session
        that lives, because session ids are not guessable and only a holder of an older token can
        name one.
        """
        alive = item is not None and min(item["expires_at"], item["idle_until"]) > now
        if item is not None and alive and item["refresh_hash"] != _hash(secret):
            self.sessions.end(session_id)
            self.security.record(
                "auth.refresh_reuse",
                "denied",
                origin,
                org_id=item["org_id"],
                actor=item["user_id"],
            )
            return
        self.security.record(
            "auth.refresh", "failure", origin, reason="expired" if item else "unknown session"
        )

    def _hand_out(
        self, user: dict[str, Any], session_id: str, refresh: str, now: float, lifetime: int
    ) -> Session:
        key = self.signing_key()
        self.sessions.publish_key(key.jwk)
        token = mint_access(
            key,
            issuer=self.issuer,
            user_id=user["id"],
            session_id=session_id,
            token_id=secrets.token_urlsafe(16),
            now=now,
        )
        answer = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            **self._who(user),
        }
        value = f"{session_id.removeprefix('ses_')}.{refresh}"
        return Session(answer, _cookie(value, lifetime))

    def _who(self, user: dict[str, Any]) -> dict[str, Any]:
        organization = self.accounts.organization(user["org_id"]) or {}
        return {
            "user": {
                "id": user["id"],
                "email": user["email"],
                "name": user["name"],
                "email_verified": bool(user.get("verified_at")),
                "created_at": rfc3339(user["created_at"]),
            },
            "organization": {
                "id": user["org_id"],
                "name": organization.get("name", ""),
                "created_at": rfc3339(organization.get("created_at", user["created_at"])),
            },
        }

    def _refuse(self, origin: Origin, user: dict[str, Any] | None, reason: str) -> None:
        self.security.record(
            "auth.login",
            "failure",
            origin,
            reason=reason,
            org_id=user["org_id"] if user else "",
            actor=user["id"] if user else "",
        )


def ended_cookie() -> str:
    """Tells the browser to forget the refresh token."""
    return _cookie("", 0)


def _cookie(value: str, max_age: int) -> str:
    """`__Host-` binds the cookie to this host and to TLS (RFC 6265bis §4.1.3.2)."""
    return f"{REFRESH_COOKIE}={value}; Max-Age={max_age}; Path=/; Secure; HttpOnly; SameSite=Strict"


def _parse_cookie(cookie: str) -> tuple[str, str]:
    body, _, secret = cookie.partition(".")
    session_id = f"ses_{body}"
    if not secret or not is_id("ses", session_id):
        raise Problem("unauthenticated", "Please log in again.", reason="missing")
    return session_id, secret


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
