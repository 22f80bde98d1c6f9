"""New passwords: changed by who knows the old one, or reset by who reads the mailbox.

Either ends sessions in the transaction that changes the password, so there is no moment at which
the new password stands and an old session lives. A reset leaves the second factor as it is
(ASVS 5.0 6.4.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash, lookup_address
from imagelayer.identity.link_tokens import LinkToken
from imagelayer.identity.passwords import PepperSource, broken_rule, context_words, hash_password
from imagelayer.identity.places import PLACE_SECONDS, place_id
from imagelayer.identity.reauthentication import Reauthentication
from imagelayer.identity.sessions import Change, Sessions
from imagelayer.identity.store import AccountStore
from imagelayer.platform.errors import Problem, invalid
from imagelayer.platform.ids import is_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import Item, StoreUnavailable


@dataclass(frozen=True)
class PasswordChanges:
    """The use cases of a new password."""

    accounts: AccountStore
    sessions: Sessions
    passwords: Reauthentication
    outbox: Outbox
    security: SecurityLog
    peppers: PepperSource
    bcrypt_cost: int

    def forgot(self, origin: Origin, now: float, email: str) -> None:
        """Ask for a reset mail. The answer and the time it takes tell nothing."""
        self.security.record("auth.password_forgot", "success", origin)
        canonical = lookup_address(email)
        self.outbox.ask("reset", origin, now, address=address_hash(canonical or email))

    def reset(self, origin: Origin, now: float, *, token: str, password: str) -> None:
        """Set a new password with a mailed token, and end every session.

        Raises Problem 400 or 422. The same call is answered again until its answer was
        acknowledged, as in `registration.verify`.
        """
        link = LinkToken.parse(token, "usr")
        user = self.accounts.user(link.owner[0]) if link and is_id("usr", link.owner[0]) else None
        if link is None or user is None:
            raise self._refused(origin, user)
        if not _may_reset(user, link, now):
            used = link.is_kept_as(user.get("reset_with"))
            if not used or not self.passwords.matches(user, password):
                raise self._refused(origin, user)
            self._acknowledge(origin, user, now)
            return
        new_hash = self._hash(user, password)

        def decide(fresh: Item) -> Change:
            if not _may_reset(fresh, link, now):
                raise self._refused(origin, fresh)
            return {"password_hash": new_hash, "reset_with": link.hash}, ("reset",), ()

        self.sessions.change(user["id"], decide)
        self._acknowledge(origin, user, now)

    def change(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        current_password: str,
        password: str,
    ) -> None:
        """Replace the caller's password and end their other sessions.

        Raises Problem 403 or 422, or Limited. A call whose answer was lost may be sent again: the
        password is the new one already, which its sender knows, so it is answered as it was.
        """
        user = self.passwords.user(principal, now)
        if not self.passwords.matches(user, current_password):
            # The new password is a guess like the first one, and counted like it.
            user = self.passwords.user(principal, now)
            if not self.passwords.matches(user, password):
                self.passwords.refuse(principal, origin)
            self.passwords.reset_attempts(principal)
            self._note_change(principal, origin, "repeated")
            return
        self.passwords.reset_attempts(principal)
        seen = user["password_hash"]
        new_hash = self._hash(user, password)

        def decide(fresh: Item) -> Change:
            if fresh["password_hash"] != seen:
                raise Problem("conflict", "The password was changed by another request.")
            return {"password_hash": new_hash}, ("reset",), ()

        self.sessions.change(user["id"], decide, keep=principal.session_id)
        self._note_change(principal, origin)
        self.outbox.notify("password_changed", origin, now, user_id=principal.actor)

    def _note_change(self, principal: Principal, origin: Origin, reason: str = "") -> None:
        self.security.record(
            "auth.password_changed",
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=reason,
        )

    def _hash(self, user: Item, password: str) -> str:
        organization = self.accounts.organization(user["org_id"]) or {}
        context = context_words(user["email"], user["name"], organization.get("name", ""))
        rule = broken_rule(password, context)
        if rule is not None:
            raise invalid("body.password", rule)
        return hash_password(password, self.peppers(), cost=self.bcrypt_cost)

    def _acknowledge(self, origin: Origin, user: Item, now: float) -> None:
        """The password is set. Where the link was opened is a place that the user is known at, so
        strangers who guess at the account cannot keep its owner out."""
        place = place_id(user["id"], origin.ip)
        self.accounts.remember_place(user["id"], place, int(now) + PLACE_SECONDS)
        self.security.record(
            "auth.password_reset", "success", origin, org_id=user["org_id"], actor=user["id"]
        )
        self.outbox.notify("password_changed", origin, now, user_id=user["id"])
        try:
            self.accounts.acknowledge(user["id"], "reset_with")
        except StoreUnavailable:
            return  # the same call stays answerable, and still changes nothing

    def _refused(self, origin: Origin, user: Item | None) -> Problem:
        self.security.record(
            "auth.password_reset",
            "failure",
            origin,
            org_id=user["org_id"] if user else "",
            actor=user["id"] if user else "",
            reason="invalid token",
        )
        return Problem("invalid_token", "The link is invalid, was already used, or has expired.")


def _may_reset(user: Item, link: LinkToken, now: float) -> bool:
    reset = user.get("reset")
    return bool(reset and link.is_kept_as(reset["token_hash"]) and reset["expires_at"] > now)
