"""Password login: from an address and a password to a dashboard session."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.access_tokens import AccessTokens, SessionTokens
from imagelayer.identity.email_policy import address_hash, lookup_address
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.passwords import (
    PepperSource,
    hash_password,
    is_outdated,
    pepper_of,
    verify_password,
)
from imagelayer.identity.places import PLACE_SECONDS, network, place_id
from imagelayer.identity.refresh_tokens import RefreshToken
from imagelayer.identity.second_factor import AcceptedCode, CodeRefused, Verifier
from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.sessions import ABSOLUTE_SECONDS, IDLE_SECONDS, MAX_SESSIONS, is_active
from imagelayer.identity.store import NOBODY, AccountStore
from imagelayer.identity.user_changes import ATTEMPTS, UserChanges
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES, Limited
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin, Role
from imagelayer.platform.table import StoreUnavailable, TransactionRefused

if TYPE_CHECKING:
    from imagelayer.identity.records import DashboardSession, Place, User

PLACE_REFRESH_SECONDS = 86_400


@frozen
class Credentials:
    """What a login presents beside the address."""

    password: str
    totp_code: str | None = None
    recovery_code: str | None = None

    @property
    def has_code(self) -> bool:
        """Whether there is a code of the second factor."""
        return self.totp_code is not None or self.recovery_code is not None


@frozen
class LoginAttempt:
    """What an attempt at a password is counted against."""

    subject: str
    known_place: Place | None


@frozen
class Login:
    """The use case of a login."""

    accounts: AccountStore
    organizations: OrganizationStore
    sessions: SessionStore
    user_changes: UserChanges
    access_tokens: AccessTokens
    counters: CounterStore
    verifier: Verifier
    outbox: Outbox
    security: SecurityLog
    peppers: PepperSource
    bcrypt_cost: int
    # Ends the session of a refresh token, which the login replaces.
    end_replaced: Callable[[Origin, str], None]

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
        """Open a session with a password, and a code where there is a second factor.

        Raises Problem 401, or Limited. The attempt is counted before the hash is made, and the
        calls and the one bcrypt are the same whether or not the address has an account. An address
        that awaits its confirmation has none.
        `replaces` is a refresh token that the new one replaces: its session ends (ASVS 5.0 7.2.4).
        """
        credentials = Credentials(password, totp_code, recovery_code)
        canonical = lookup_address(email)
        address = address_hash(canonical or email)
        user = self.accounts.get_user_by_address(address) if canonical else None
        attempt = self._record_attempt(origin, now, address, user)
        stored = user["password_hash"] if user else None
        if not self._matches(stored, password) or user is None or stored is None:
            self._refuse(origin, user, "wrong password" if user else "unknown address")
            raise _wrong_credentials()
        if user.get("totp") and credentials.has_code:
            self.verifier.record_attempt(user["id"], now)
        token = RefreshToken.new(user["id"], new_id("ses", now))
        answer, accepted = self._open_session(origin, now, user, credentials, stored, token)
        self.counters.reset_attempts(attempt.subject, POLICIES["login-account"])
        if user.get("totp"):
            self.verifier.reset_attempts(user["id"])
        self._note_place(origin, now, user, attempt.known_place)
        self.security.record(
            "auth.login", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        self.end_replaced(origin, replaces)
        self._acknowledge(origin, now, user, accepted)  # last: nothing after it may fail
        return SessionTokens(answer, token.text, ABSOLUTE_SECONDS)

    def _record_attempt(
        self, origin: Origin, now: float, address: str, user: User | None
    ) -> LoginAttempt:
        """Count an attempt on an address: of strangers together, of each known place by itself.

        The same calls are made for an address without an account. Raises Limited.
        """
        user_id = user["id"] if user else NOBODY
        known = self.accounts.get_place(user_id, place_id(user_id, origin.ip), int(now))
        attempt = LoginAttempt(f"{address}#{network(origin.ip)}" if known else address, known)
        try:
            self.counters.record_attempt(
                attempt.subject, POLICIES["login-account"], int(now * 1000)
            )
        except Limited:
            self._refuse(origin, user, "too many attempts")
            raise
        return attempt

    def _open_session(
        self,
        origin: Origin,
        now: float,
        user: User,
        credentials: Credentials,
        verified: str,
        token: RefreshToken,
    ) -> tuple[dict[str, Any], AcceptedCode | None]:
        """Create the session in one transaction with the user as they were read; `verified` is the
        stored hash that the password matched.

        A refusal means that the password, the role, the second factor or the set of sessions has
        changed since: all of it is read and decided again, the password too when its hash is
        another (another login may only have renewed it). A login that races with a password
        change, a role change or a removal is therefore either before it, and its session is ended
        by it, or after it.
        """
        renewed = self._renewed(credentials.password, verified)
        for attempt in range(ATTEMPTS):
            if attempt:
                user = self._read_again(origin, user)
            if user["password_hash"] != verified:
                verified = renewed = self._verify_again(origin, user, credentials.password)
            role = self.organizations.get_role(user["org_id"], user["id"])
            if role is None:
                self._refuse(origin, user, "not a member")
                raise _wrong_credentials()
            accepted = self._check_second_factor(origin, now, user, token.session_id, credentials)
            organization = self.organizations.get_organization(user["org_id"])
            must_enrol = bool(
                role == "owner"
                and organization
                and organization.get("owners_need_second_factor")
                and not user.get("totp")
            )
            session = _new_session(origin, now, user, role, token, must_enrol=must_enrol)
            answer = self.access_tokens.issue(user, session, now, organization)
            endings = self._surplus(user, now)
            sets: dict[str, Any] = {"last_login_at": int(now), "password_hash": renewed}
            if accepted is not None:
                sets["totp"] = accepted.totp
                endings |= _unacknowledged(user)
            try:
                self.accounts.commit(
                    [
                        self.accounts.user_action(user, sets),
                        self.sessions.create_session_action(session),
                        *(self.sessions.end_session_action(user["id"], each) for each in endings),
                    ]
                )
            except TransactionRefused:
                self.user_changes.back_off(attempt)
                continue
            return answer, accepted
        raise StoreUnavailable("transact_write_items", "the user is too contended")

    def _read_again(self, origin: Origin, user: User) -> User:
        found = self.accounts.get_user(user["id"])
        if found is None:
            self._refuse(origin, None, "changed during login")
            raise _wrong_credentials()
        return found

    def _verify_again(self, origin: Origin, user: User, password: str) -> str:
        stored = user["password_hash"]
        if not self._matches(stored, password):
            self._refuse(origin, user, "changed during login")
            raise _wrong_credentials()
        return stored

    def _matches(self, stored: str | None, password: str) -> bool:
        peppers = self.peppers(pepper_of(stored))
        return verify_password(password, stored, peppers, cost=self.bcrypt_cost)

    def _renewed(self, password: str, stored: str) -> str:
        """The hash to keep: a new one when the stored one is outdated."""
        peppers = self.peppers()
        if is_outdated(stored, peppers, cost=self.bcrypt_cost):
            return hash_password(password, peppers, cost=self.bcrypt_cost)
        return stored

    def _check_second_factor(
        self, origin: Origin, now: float, user: User, session_id: str, credentials: Credentials
    ) -> AcceptedCode | None:
        """The accepted code of a user who has a second factor. Raises Problem 401."""
        if not user.get("totp"):
            return None
        try:
            return self.verifier.check(
                user,
                now,
                totp_code=credentials.totp_code,
                recovery_code=credentials.recovery_code,
                session_id=session_id,
            )
        except CodeRefused as refusal:
            self.security.record(
                "auth.totp_refused",
                "failure" if credentials.has_code else "denied",
                origin,
                org_id=user["org_id"],
                actor=user["id"],
                reason=refusal.reason,
            )
            if not credentials.has_code:
                raise Problem(
                    "totp_required", "Send totp_code, or recovery_code, with the password."
                ) from None
            raise Problem(
                "invalid_totp_code", "The code is wrong or was already used. Wait for the next one."
            ) from None

    def _acknowledge(
        self, origin: Origin, now: float, user: User, accepted: AcceptedCode | None
    ) -> None:
        """The session is on its way to its user: the code is spent for good."""
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

    def _surplus(self, user: User, now: float) -> dict[str, None]:
        """Ids of the sessions that make room, in order: the oldest past the bound, and those that
        have expired."""
        sessions = self.sessions.list_sessions(user["id"])
        current = [each["id"] for each in sessions if is_active(each, now)]
        expired = [each["id"] for each in sessions if not is_active(each, now)]
        oldest = current[: max(0, len(current) - MAX_SESSIONS + 1)]
        return dict.fromkeys([*oldest, *expired][:MAX_SESSIONS])

    def _note_place(self, origin: Origin, now: float, user: User, known: Place | None) -> None:
        """Mail the user about a login from a network that is new to them, then remember it.

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

    def _refuse(self, origin: Origin, user: User | None, reason: str) -> None:
        self.security.record(
            "auth.login",
            "failure",
            origin,
            reason=reason,
            org_id=user["org_id"] if user else "",
            actor=user["id"] if user else "",
            keep_unknown=True,
        )


def _wrong_credentials() -> Problem:
    return Problem(
        "invalid_credentials",
        "The email address or password is wrong, or the address is not confirmed yet.",
    )


def _unacknowledged(user: User) -> dict[str, None]:
    """The session that an earlier use of this code opened, if its answer may not have arrived."""
    lost = user["totp"].get("unacknowledged")
    return {lost: None} if lost else {}


def _new_session(
    origin: Origin, now: float, user: User, role: Role, token: RefreshToken, *, must_enrol: bool
) -> DashboardSession:
    session: DashboardSession = {
        "id": token.session_id,
        "user_id": user["id"],
        "org_id": user["org_id"],
        "role": role,
        "family_hash": token.family_hash,
        "refresh_hash": token.hash,
        "chain_key": secrets.token_urlsafe(32),
        "client": origin.client,
        "ip": origin.ip,
        "created_at": int(now),
        "refreshed_at": int(now),
        "idle_until": int(now) + IDLE_SECONDS,
        "expires_at": int(now) + ABSOLUTE_SECONDS,
    }
    if must_enrol:
        session["must_enrol"] = True
    return session
