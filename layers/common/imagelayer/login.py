"""Password login and the life of a dashboard session.

A session is one item. Its refresh token rotates: each trade replaces the hash, and a spent token
that comes back means two parties hold the family, so the session ends. Ending deletes the item,
and access tokens, which are checked against it on every call, die with it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
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
class RefreshToken:
    """What the cookie holds: the session, the secret all its tokens share, and this token's own."""

    session_id: str
    family: str = field(repr=False)
    secret: str = field(repr=False)


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
        token = RefreshToken(
            new_id("ses", now), secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        )
        answer = self._prepare(user, token.session_id, now)
        self.sessions.create(
            {
                "id": token.session_id,
                "user_id": user["id"],
                "org_id": user["org_id"],
                "role": role,
                "family_hash": _hash(token.family),
                "refresh_hash": _hash(token.secret),
                "created_at": int(now),
                "idle_until": int(now) + IDLE_SECONDS,
                "expires_at": int(now) + ABSOLUTE_SECONDS,
            }
        )
        self.security.record(
            "auth.login", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        return Session(answer, _cookie(token, ABSOLUTE_SECONDS))

    def refresh(self, origin: Origin, now: float, cookie: str) -> Session:
        """Trade a refresh token. Raises Problem 401; a spent token also ends the session.

        Everything that can fail comes before the trade: once the old token is spent, an answer
        that does not arrive would make its owner look like a thief.
        """
        token = _parse_cookie(cookie)
        session = self.sessions.get(token.session_id)
        user = self.accounts.user(session["user_id"]) if session else None
        if session is None or user is None:
            self.security.record("auth.refresh", "failure", origin, reason="unknown session")
            raise Problem("unauthenticated", "Please log in again.")
        hand_out = self._prepare(user, token.session_id, now)
        replacement = secrets.token_urlsafe(32)
        try:
            self.sessions.rotate_refresh(
                token.session_id,
                _hash(token.secret),
                _hash(replacement),
                now,
                int(now) + IDLE_SECONDS,
            )
        except ConditionFailed as failure:
            self._refuse_refresh(origin, now, token, failure.item)
            raise Problem("unauthenticated", "Please log in again.") from None
        self.security.record(
            "auth.refresh", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        return Session(
            hand_out,
            _cookie(
                RefreshToken(token.session_id, token.family, replacement),
                session["expires_at"] - int(now),
            ),
        )

    def logout(self, origin: Origin, cookie: str) -> None:
        """End the session of a refresh cookie, current or spent; any other changes nothing."""
        try:
            token = _parse_cookie(cookie)
        except Problem:
            return
        session = self.sessions.get(token.session_id)
        if session is not None and self._is_family(token, session):
            self.sessions.end(token.session_id)
            self.security.record(
                "auth.logout",
                "success",
                origin,
                org_id=session["org_id"],
                actor=session["user_id"],
            )

    def me(self, principal: Principal) -> dict[str, Any]:
        """The user, organization and role of an access token."""
        user = self.accounts.user(principal.actor)
        if user is None:
            raise Problem("unauthenticated", "Please log in again.")
        return {**self._who(user), "role": principal.role}

    def _refuse_refresh(
        self, origin: Origin, now: float, token: RefreshToken, item: dict[str, Any] | None
    ) -> None:
        """Log why; a spent token of a living session ends the whole family.

        Session ids stand in access tokens and prove nothing. The family secret stands in refresh
        tokens alone, so who presents it holds, or held, one of this session's.
        """
        alive = item is not None and min(item["expires_at"], item["idle_until"]) > now
        if item is not None and alive and self._is_family(token, item):
            self.sessions.end(token.session_id)
            self.security.record(
                "auth.refresh_reuse",
                "denied",
                origin,
                org_id=item["org_id"],
                actor=item["user_id"],
            )
            return
        reason = "ended" if item is None else "unknown token" if alive else "expired"
        self.security.record("auth.refresh", "failure", origin, reason=reason)

    def _is_family(self, token: RefreshToken, session: dict[str, Any]) -> bool:
        return hmac.compare_digest(_hash(token.family), session["family_hash"])

    def _prepare(self, user: dict[str, Any], session_id: str, now: float) -> dict[str, Any]:
        """The answer with a fresh access token; its public key is known before it is."""
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
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            **self._who(user),
        }

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
    return _cookie(None, 0)


def _cookie(token: RefreshToken | None, max_age: int) -> str:
    """`__Host-` binds the cookie to this host and to TLS (RFC 6265bis §4.1.3.2)."""
    value = (
        f"{token.session_id.removeprefix('ses_')}.{token.family}.{token.secret}" if token else ""
    )
    return f"{REFRESH_COOKIE}={value}; Max-Age={max_age}; Path=/; Secure; HttpOnly; SameSite=Strict"


def _parse_cookie(cookie: str) -> RefreshToken:
    body, _, rest = cookie.partition(".")
    family, _, secret = rest.partition(".")
    session_id = f"ses_{body}"
    if not (family and secret and is_id("ses", session_id)):
        raise Problem("unauthenticated", "Please log in again.", reason="missing")
    return RefreshToken(session_id, family, secret)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
