"""Re-authentication: a logged-in user enters the password again before a sensitive change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.passwords import PepperSource, pepper_of, verify_password
from imagelayer.identity.store import AccountStore
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.principals import Origin, Principal

if TYPE_CHECKING:
    from imagelayer.identity.records import User


@frozen
class Reauthentication:
    """Checks the caller's password (ASVS 5.0 7.5.1)."""

    accounts: AccountStore
    counters: CounterStore
    security: SecurityLog
    peppers: PepperSource
    bcrypt_cost: int

    def check(self, principal: Principal, origin: Origin, now: float, password: str) -> User:
        """The caller's record if the password is theirs. Raises Problem 403, or Limited.

        An access token that was stolen must not become a way to guess the password.
        """
        user = self.attempt(principal, now)
        if not self.matches(user, password):
            self.refuse(principal, origin)
        self.reset_attempts(principal)
        return user

    def attempt(self, principal: Principal, now: float) -> User:
        """Count an attempt and read the caller's record. Raises Problem 401, or Limited."""
        self.counters.record_attempt(principal.actor, POLICIES["password-check"], int(now * 1000))
        user = self.accounts.get_user(principal.actor)
        if user is None:
            raise Problem("unauthenticated", "Please log in again.")
        return user

    def reset_attempts(self, principal: Principal) -> None:
        """Forget the attempts before a right password."""
        self.counters.reset_attempts(principal.actor, POLICIES["password-check"])

    def matches(self, user: User, password: str) -> bool:
        """Whether the password is the user's."""
        stored = user["password_hash"]
        peppers = self.peppers(pepper_of(stored))
        return verify_password(password, stored, peppers, cost=self.bcrypt_cost)

    def refuse(self, principal: Principal, origin: Origin) -> None:
        """Record a wrong password and raise Problem 403."""
        self.security.by(principal, origin).record(
            "auth.password_check", "failure", reason="wrong password"
        )
        raise Problem("wrong_password", "The current password is wrong.")
