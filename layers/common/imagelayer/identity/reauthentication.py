"""Asking somebody who is logged in for their password once more, before a change that weighs."""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.passwords import PepperSource, pepper_of, verify_password
from imagelayer.identity.store import AccountStore
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.errors import Problem
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import Item


@dataclass(frozen=True)
class Reauthentication:
    """Re-authentication (ASVS 5.0 7.5.1)."""

    accounts: AccountStore
    counters: CounterStore
    security: SecurityLog
    peppers: PepperSource
    bcrypt_cost: int

    def check(self, principal: Principal, origin: Origin, now: float, password: str) -> Item:
        """The caller's record if the password is theirs. Raises Problem 403, or Limited.

        An access token that was stolen must not become a way to guess the password.
        """
        user = self.user(principal, now)
        if not self.matches(user, password):
            self.refuse(principal, origin)
        self.reset_attempts(principal)
        return user

    def user(self, principal: Principal, now: float) -> Item:
        """The caller's record, with one attempt counted."""
        self.counters.record_attempt(principal.actor, POLICIES["password-check"], int(now * 1000))
        user = self.accounts.user(principal.actor)
        if user is None:
            raise Problem("unauthenticated", "Please log in again.")
        return user

    def reset_attempts(self, principal: Principal) -> None:
        """Forget the attempts that came before a right one."""
        self.counters.reset_attempts(principal.actor, POLICIES["password-check"])

    def matches(self, user: Item, password: str) -> bool:
        """Whether the password is the user's."""
        stored = user.get("password_hash")
        peppers = self.peppers(pepper_of(stored))
        return verify_password(password, stored, peppers, cost=self.bcrypt_cost)

    def refuse(self, principal: Principal, origin: Origin) -> None:
        """Raise Problem 403 and say so in the log."""
        self.security.record(
            "auth.password_check",
            "failure",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason="wrong password",
        )
        raise Problem("wrong_password", "The current password is wrong.")
