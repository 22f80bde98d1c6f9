"""Password login and the life of a dashboard session.

A session is one item. Its refresh token rotates: each trade replaces the hash, and a spent token
that comes back means two parties hold the family, so the session ends. Ending deletes the item,
and access tokens, which are checked against it on every call, die with it.

The successor of a refresh token is not drawn but derived: HMAC of the token under a key that stands
on the session's record. So two tabs that trade the same token within a few seconds, or a client
whose answer was lost, are given the same successor, and still nothing that was handed out is
stored. The record alone derives nothing, and neither does a token alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash, lookup_address
from imagelayer.identity.passwords import (
    PepperSource,
    hash_password,
    is_outdated,
    pepper_of,
    verify_password,
)
from imagelayer.identity.places import PLACE_SECONDS, network, place_id
from imagelayer.identity.second_factor import Accepted, CodeRefused, Verifier
from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.sessions import MAX_SESSIONS, Sessions, is_alive
from imagelayer.identity.store import NOBODY, AccountStore
from imagelayer.identity.tokens import ACCESS_SECONDS, SigningKey, mint_access
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES, Limited
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import ConditionFailed, Item, StoreUnavailable, TransactionRefused
from imagelayer.platform.times import rfc3339

ABSOLUTE_SECONDS = 30 * 86_400
IDLE_SECONDS = 7 * 86_400
# Long enough for tabs that wake together, too short for a thief who has to carry a token away.
REUSE_GRACE_SECONDS = 10
REFRESH_COOKIE = "__Host-il_refresh"
PLACE_REFRESH_SECONDS = 86_400
ATTEMPTS = 8


@dataclass(frozen=True)
class RefreshToken:
    """What the cookie holds: the session, the secret all its tokens share, and this token's own."""

    user_id: str
    session_id: str
    family: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True)
class SessionTokens:
    """What a login or refresh hands out."""

    answer: dict[str, Any]
    cookie: str


@dataclass(frozen=True)
class LoginAttempt:
    """What an attempt at a password is counted against."""

    subject: str
    known_place: Item | None


@dataclass(frozen=True)
class Login:
    """The use cases of a session."""

    accounts: AccountStore
    sessions: SessionStore
    ended: Sessions
    counters: CounterStore
    verifier: Verifier
    outbox: Outbox
    security: SecurityLog
    peppers: PepperSource
    signing_key: Callable[[], SigningKey]
    bcrypt_cost: int
    issuer: str

    def login(
        self,
        origin: Origin,
        now: float,
        *,
        email: str,
        password: str,
        totp_code: str | None = None,
        recovery_code: str | None = None,
        replaces: str = "",
    ) -> SessionTokens:
        """Password, and code where there is a second factor, to session.

        Raises Problem 401 or 403, or Limited. The attempt is counted before the hash is made, and
        the calls and the one bcrypt are the same whether or not the address has an account.
        `replaces` is the refresh cookie that the new one takes the place of: its session ends
        (ASVS 5.0 7.2.4).
        """
        canonical = lookup_address(email)
        address = address_hash(canonical or email)
        user = self.accounts.by_address(address) if canonical else None
        record_attempt = self._count(origin, now, address, user)
        # Before the address is verified the password is the pending registration's.
        stored = _stored_password(user)
        peppers = self.peppers(pepper_of(stored))
        correct = verify_password(password, stored, peppers, cost=self.bcrypt_cost)
        if user is None or not correct or not stored:
            self._refuse(origin, user, "wrong password" if user else "unknown address")
            raise Problem("invalid_credentials", "The email address or password is wrong.")
        if not user.get("verified_at"):
            self._refuse(origin, user, "not verified")
            raise Problem(
                "email_not_verified", "Verify your email address with the link in the mail first."
            )
        coded = totp_code is not None or recovery_code is not None
        if user.get("totp") and coded:
            self.verifier.record_attempt(user["id"], now)
        outdated = is_outdated(stored, self.peppers(), cost=self.bcrypt_cost)
        renewed = (
            hash_password(password, self.peppers(), cost=self.bcrypt_cost) if outdated else stored
        )
        token = RefreshToken(
            user["id"],
            new_id("ses", now),
            secrets.token_urlsafe(16),
            secrets.token_urlsafe(32),
        )
        opened, accepted = self._open(
            origin, now, user, password, stored, renewed, token, totp_code, recovery_code
        )
        self.counters.reset_attempts(record_attempt.subject, POLICIES["login-account"])
        if user.get("totp"):
            self.verifier.reset_attempts(user["id"])
        self._note_place(origin, now, user, record_attempt.known_place)
        self.security.record(
            "auth.login", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        self.logout(origin, replaces)
        self._acknowledge(origin, now, user, accepted)  # last: nothing after it may fail
        return SessionTokens(opened, _cookie(token, ABSOLUTE_SECONDS))

    def refresh(self, origin: Origin, now: float, cookie: str) -> SessionTokens:
        """Trade a refresh token. Raises Problem 401; a spent token also ends the session.

        Everything that can fail comes before the trade. A token spent by a trade whose answer was
        lost is good for the same successor for REUSE_GRACE_SECONDS, from the same network and
        client only: a thief who comes from elsewhere ends the family at once.
        """
        token = _parse_cookie(cookie)
        session = self.sessions.get(token.user_id, token.session_id)
        user = self.accounts.user(token.user_id) if session else None
        if session is None or user is None:
            self.security.record("auth.refresh", "failure", origin, reason="unknown session")
            raise Problem("unauthenticated", "Please log in again.")
        hand_out = self._prepare(user, session, now)
        successor = _successor(session["chain_key"], token.secret)
        try:
            self.sessions.rotate_refresh(
                session,
                _hash(token.secret),
                _hash(successor),
                int(now),
                {
                    "idle_until": int(now) + IDLE_SECONDS,
                    "ip": origin.ip,
                    "client": origin.client,
                    "traded_from": _place(origin),
                },
            )
        except ConditionFailed as failure:
            if not self._was_just_traded(origin, now, token, failure.item, successor):
                self._refuse_refresh(origin, now, token, failure.item)
                raise Problem("unauthenticated", "Please log in again.") from None
        self.security.record(
            "auth.refresh", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        traded = RefreshToken(token.user_id, token.session_id, token.family, successor)
        return SessionTokens(hand_out, _cookie(traded, session["expires_at"] - int(now)))

    def logout(self, origin: Origin, cookie: str) -> None:
        """End the session of a refresh cookie, current or spent; any other changes nothing."""
        try:
            token = _parse_cookie(cookie)
        except Problem:
            return
        session = self.sessions.get(token.user_id, token.session_id)
        if session is not None and self._is_family(token, session):
            self.sessions.end(token.user_id, token.session_id)
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

    def end_one(self, principal: Principal, origin: Origin, session_id: str) -> None:
        """End one of the caller's sessions. Raises Problem 404."""
        if not (is_id("ses", session_id) and self.ended.end_own(principal, session_id)):
            raise Problem("not_found", "There is no such session.")
        self.security.record(
            "auth.session_ended",
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=session_id,
        )

    def end_everywhere(self, principal: Principal, origin: Origin) -> None:
        """End all of the caller's sessions, the calling one included."""
        self.ended.end_everywhere(principal.actor)
        self.security.record(
            "auth.sessions_ended",
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
        )

    def _count(self, origin: Origin, now: float, address: str, user: Item | None) -> LoginAttempt:
        """Count an attempt on an address: of strangers together, of each known place by itself.

        The same calls are made for an address without an account. Raises Limited.
        """
        user_id = user["id"] if user else NOBODY
        known = self.accounts.place(user_id, place_id(user_id, origin.ip), int(now))
        record_attempt = LoginAttempt(
            f"{address}#{network(origin.ip)}" if known else address, known
        )
        try:
            self.counters.record_attempt(
                record_attempt.subject, POLICIES["login-account"], int(now * 1000)
            )
        except Limited:
            self._refuse(origin, user, "too many attempts")
            raise
        return record_attempt

    def _open(
        self,
        origin: Origin,
        now: float,
        user: Item,
        password: str,
        verified: str,
        renewed: str,
        token: RefreshToken,
        totp_code: str | None,
        recovery_code: str | None,
    ) -> tuple[dict[str, Any], Accepted | None]:
        """Create the session in one transaction with the user as they were read.

        A refusal means that the password, the role, the second factor or the set of sessions was
        changed since: all of it is read and decided again, the password too when its hash is
        another (it may only have been made anew by a login that came first). A login that races
        with a password change, a role change or a removal is therefore either before it, and its
        session is ended by it, or after it.
        """
        for attempt in range(ATTEMPTS):
            if attempt:
                user = self.accounts.user(user["id"]) or {}
            if user.get("password_hash") != verified:
                if not user.get("password_hash") or not self._matches(user, password):
                    self._refuse(origin, user or None, "changed meanwhile")
                    raise Problem("invalid_credentials", "The email address or password is wrong.")
                verified = renewed = user["password_hash"]
            role = self.accounts.role(user["org_id"], user["id"])
            if role is None:
                self._refuse(origin, user, "not a member")
                raise Problem("invalid_credentials", "The email address or password is wrong.")
            accepted = self._second_factor(
                origin, now, user, token.session_id, totp_code, recovery_code
            )
            organization = self.accounts.organization(user["org_id"]) or {}
            must_enrol = bool(
                role == "owner"
                and organization.get("owners_need_second_factor")
                and not user.get("totp")
            )
            session = self._session(origin, now, user, role, token, must_enrol=must_enrol)
            answer = self._prepare(user, session, now, organization)
            endings = self._surplus(user, now)
            sets: dict[str, Any] = {"last_login_at": int(now), "password_hash": renewed}
            if accepted is not None:
                sets["totp"] = accepted.totp
                endings = self._with_unacknowledged(user, endings)
            try:
                self.accounts.commit(
                    [
                        self.accounts.user_action(user, sets),
                        self.sessions.create_action(session),
                        *(self.sessions.end_action(each) for each in endings),
                    ]
                )
            except TransactionRefused:
                self.ended.sleep(secrets.randbelow(20 * 2**attempt) / 1000)
                continue
            return answer, accepted
        raise StoreUnavailable("transact_write_items", "the user is too contended")

    def _matches(self, user: Item, password: str) -> bool:
        stored = _stored_password(user)
        peppers = self.peppers(pepper_of(stored))
        return verify_password(password, stored, peppers, cost=self.bcrypt_cost)

    def _second_factor(
        self,
        origin: Origin,
        now: float,
        user: Item,
        session_id: str,
        totp_code: str | None,
        recovery_code: str | None,
    ) -> Accepted | None:
        if not user.get("totp"):
            return None
        try:
            return self.verifier.check(
                user,
                now,
                totp_code=totp_code,
                recovery_code=recovery_code,
                session_id=session_id,
            )
        except CodeRefused as refusal:
            missing = totp_code is None and recovery_code is None
            self.security.record(
                "auth.totp_refused",
                "denied" if missing else "failure",
                origin,
                org_id=user["org_id"],
                actor=user["id"],
                reason=refusal.reason,
            )
            if missing:
                raise Problem(
                    "totp_required", "Send totp_code, or recovery_code, with the password."
                ) from None
            raise Problem(
                "invalid_totp_code", "The code is wrong or was already used. Wait for the next one."
            ) from None

    def _acknowledge(
        self, origin: Origin, now: float, user: Item, accepted: Accepted | None
    ) -> None:
        """The session is on its way to who opened it: its code is spent for good."""
        if accepted is None:
            return
        if accepted.recovery:
            left = len(accepted.totp["recovery"])
            self.security.record(
                "auth.recovery_code_used",
                "success",
                origin,
                org_id=user["org_id"],
                actor=user["id"],
                reason=f"{left} left",
            )
            self.outbox.notify("recovery_code_used", origin, now, user_id=user["id"], left=left)
            return
        try:
            self.accounts.acknowledge_code(user["id"])
        except StoreUnavailable:
            return  # until the next login the code opens one session in place of this one

    def _with_unacknowledged(self, user: Item, endings: list[Item]) -> list[Item]:
        """The session that an earlier use of this code opened, if its answer was never sent."""
        lost = user["totp"].get("unacknowledged")
        if not lost or lost in {each["id"] for each in endings}:
            return endings
        return [*endings, {"pk": f"USER#{user['id']}", "sk": f"SES#{lost}", "id": lost}]

    def _surplus(self, user: Item, now: float) -> list[Item]:
        """Sessions that make room: those that ran out, and the oldest past the bound."""
        sessions = self.sessions.of_user(user["id"])
        living = [each for each in sessions if is_alive(each, now)]
        dead = [each for each in sessions if not is_alive(each, now)]
        oldest = living[: max(0, len(living) - MAX_SESSIONS + 1)]
        return [*oldest, *dead][:MAX_SESSIONS]

    def _session(
        self,
        origin: Origin,
        now: float,
        user: Item,
        role: str,
        token: RefreshToken,
        *,
        must_enrol: bool,
    ) -> Item:
        return {
            "id": token.session_id,
            "user_id": user["id"],
            "org_id": user["org_id"],
            "role": role,
            "family_hash": _hash(token.family),
            "refresh_hash": _hash(token.secret),
            "chain_key": secrets.token_urlsafe(32),
            "client": origin.client,
            "ip": origin.ip,
            "created_at": int(now),
            "refreshed_at": int(now),
            "idle_until": int(now) + IDLE_SECONDS,
            "expires_at": int(now) + ABSOLUTE_SECONDS,
            **({"must_enrol": True} if must_enrol else {}),
        }

    def _note_place(self, origin: Origin, now: float, user: Item, known: Item | None) -> None:
        """Tell the user of a login from a network that is new to them, then know it.

        In this order: should the second fail, the mail goes out once more rather than never. The
        first login of an account is from no new place.
        """
        if known is not None and known["expires_at"] > now + PLACE_SECONDS - PLACE_REFRESH_SECONDS:
            return
        if known is None and user.get("last_login_at"):
            self.security.record(
                "auth.new_place", "success", origin, org_id=user["org_id"], actor=user["id"]
            )
            self.outbox.ask("new_place", origin, now, user_id=user["id"])
        place = place_id(user["id"], origin.ip)
        self.accounts.remember_place(user["id"], place, int(now) + PLACE_SECONDS)

    def _was_just_traded(
        self,
        origin: Origin,
        now: float,
        token: RefreshToken,
        item: Item | None,
        successor: str,
    ) -> bool:
        """Whether this is the token that the last trade spent, moments ago and from here."""
        return bool(
            item is not None
            and is_alive(item, now)
            and self._is_family(token, item)
            and hmac.compare_digest(item.get("spent_hash", ""), _hash(token.secret))
            and hmac.compare_digest(item["refresh_hash"], _hash(successor))
            and now - item["refreshed_at"] <= REUSE_GRACE_SECONDS
            and item.get("traded_from") == _place(origin)
        )

    def _refuse_refresh(
        self, origin: Origin, now: float, token: RefreshToken, item: Item | None
    ) -> None:
        """Log why; a spent token of a living session ends the whole family.

        Session ids stand in access tokens and prove nothing. The family secret stands in refresh
        tokens alone, so who presents it holds, or held, one of this session's.
        """
        alive = item is not None and is_alive(item, now)
        if item is not None and alive and self._is_family(token, item):
            self.sessions.end(token.user_id, token.session_id)
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

    def _is_family(self, token: RefreshToken, session: Item) -> bool:
        return hmac.compare_digest(_hash(token.family), session["family_hash"])

    def _prepare(
        self, user: Item, session: Item, now: float, organization: Item | None = None
    ) -> dict[str, Any]:
        """The answer with a fresh access token; its public key is known before it is."""
        key = self.signing_key()
        self.sessions.publish_key(key.jwk)
        token = mint_access(
            key,
            issuer=self.issuer,
            user_id=user["id"],
            session_id=session["id"],
            token_id=secrets.token_urlsafe(16),
            now=now,
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            **self._who(user, organization),
            "second_factor_required": bool(session.get("must_enrol")),
        }

    def _who(self, user: Item, organization: Item | None = None) -> dict[str, Any]:
        if organization is None:
            organization = self.accounts.organization(user["org_id"]) or {}
        founded = organization.get("created_at") or user["created_at"]
        return {
            "user": {
                "id": user["id"],
                "email": user["email"],
                "name": user["name"],
                "email_verified": bool(user.get("verified_at")),
                "two_factor_enabled": bool(user.get("totp")),
                "created_at": rfc3339(user["created_at"]),
            },
            "organization": {
                "id": user["org_id"],
                "name": organization.get("name", ""),
                "created_at": rfc3339(founded),
            },
        }

    def _refuse(self, origin: Origin, user: Item | None, reason: str) -> None:
        self.security.record(
            "auth.login",
            "failure",
            origin,
            reason=reason,
            org_id=user["org_id"] if user else "",
            actor=user["id"] if user else "",
            keep_unknown=True,
        )


def _stored_password(user: Item | None) -> str | None:
    if user is None:
        return None
    waiting: Item = user.get("pending") or {}
    return user.get("password_hash") or waiting.get("password_hash")


def ended_cookie() -> str:
    """Tells the browser to forget the refresh token."""
    return _cookie(None, 0)


def _cookie(token: RefreshToken | None, max_age: int) -> str:
    """`__Host-` binds the cookie to this host and to TLS (RFC 6265bis §4.1.3.2)."""
    value = ""
    if token is not None:
        user, session = token.user_id.removeprefix("usr_"), token.session_id.removeprefix("ses_")
        value = f"{user}-{session}.{token.family}.{token.secret}"
    return f"{REFRESH_COOKIE}={value}; Max-Age={max_age}; Path=/; Secure; HttpOnly; SameSite=Strict"


def _parse_cookie(cookie: str) -> RefreshToken:
    parts = cookie.split(".")
    if len(parts) == 3:
        user, _, session = parts[0].partition("-")
        token = RefreshToken(f"usr_{user}", f"ses_{session}", parts[1], parts[2])
        ids = is_id("usr", token.user_id) and is_id("ses", token.session_id)
        if token.family and token.secret and ids:
            return token
    raise Problem("unauthenticated", "Please log in again.", reason="missing")


def _successor(chain_key: str, secret: str) -> str:
    digest = hmac.new(chain_key.encode(), secret.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _place(origin: Origin) -> str:
    return hashlib.sha256(f"{network(origin.ip)}\x00{origin.client}".encode()).hexdigest()[:32]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
