"""New passwords: changed by a user who knows the old one, or reset by one who reads the mailbox.

Either ends sessions in the transaction that changes the password, so at no moment does an old
session go on under the new password. A reset leaves the second factor as it is
(ASVS 5.0 6.4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash, lookup_address
from imagelayer.identity.link_tokens import LinkToken
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.passwords import PepperSource, broken_rule, context_words, hash_password
from imagelayer.identity.places import PLACE_SECONDS, place_id
from imagelayer.identity.reauthentication import Reauthentication
from imagelayer.identity.store import AccountStore
from imagelayer.identity.user_changes import Change, UserChanges
from imagelayer.platform.errors import Problem, invalid
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import StoreUnavailable

if TYPE_CHECKING:
    from imagelayer.identity.records import User

# What was begun under the old password: another reset link, and a second factor whose setup it was
# entered for.
_REVOKED = ("reset", "totp_pending")


@frozen
class PasswordChanges:
    """The use cases of a new password."""

    accounts: AccountStore
    organizations: OrganizationStore
    user_changes: UserChanges
    reauthentication: Reauthentication
    outbox: Outbox
    security: SecurityLog
    peppers: PepperSource
    bcrypt_cost: int

    def forgot_password(self, origin: Origin, now: float, email: str) -> None:
        """Send a reset mail if the address has an account. Neither the answer nor the time it takes
        shows whether it has."""
        self.security.record("auth.password_forgot", "success", origin)
        canonical = lookup_address(email)
        self.outbox.ask("reset", origin, now, address=address_hash(canonical or email))

    def reset_password(self, origin: Origin, now: float, *, token: str, password: str) -> None:
        """Set a new password with a mailed token, and end every session.

        Raises Problem 400 or 422. The same call is answered again until its answer was
        acknowledged, as in `registration.verify_email`.
        """
        link = LinkToken.parse(token, "usr")
        user = (
            self.accounts.get_user(link.owner[0]) if link and is_id("usr", link.owner[0]) else None
        )
        if link is None or user is None:
            raise self._refused(origin, user)
        if not _may_reset(user, link, now):
            used = link.is_kept_as(user.get("reset_with"))
            if not used or not self.reauthentication.matches(user, password):
                raise self._refused(origin, user)
            self._acknowledge(origin, user, now)
            return
        new_hash = self._hash(user, password)

        def decide(fresh: User) -> Change:
            if not _may_reset(fresh, link, now):
                raise self._refused(origin, fresh)
            return {"password_hash": new_hash, "reset_with": link.hash}, _REVOKED, ()

        self.user_changes.change(user["id"], decide)
        self._acknowledge(origin, user, now)

    def change_password(
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
        log = self.security.by(principal, origin)
        user = self.reauthentication.attempt(principal, now)
        if not self.reauthentication.matches(user, current_password):
            # The new password is a guess too, and counted like the first one.
            user = self.reauthentication.attempt(principal, now)
            if not self.reauthentication.matches(user, password):
                self.reauthentication.refuse(principal, origin)
            self.reauthentication.reset_attempts(principal)
            log.record("auth.password_changed", reason="repeated")
            return
        self.reauthentication.reset_attempts(principal)
        seen = user["password_hash"]
        new_hash = self._hash(user, password)

        def decide(fresh: User) -> Change:
            if fresh["password_hash"] != seen:
                raise Problem("conflict", "The password was changed by another request.")
            return {"password_hash": new_hash}, _REVOKED, ()

        self.user_changes.change(user["id"], decide, keep=principal.session_id)
        log.record("auth.password_changed")
        self.outbox.notify("password_changed", origin, now, user_id=principal.actor)

    def _hash(self, user: User, password: str) -> str:
        organization = self.organizations.get_organization(user["org_id"])
        organization_name = organization["name"] if organization else ""
        context = context_words(user["email"], user["name"], organization_name)
        rule = broken_rule(password, context)
        if rule is not None:
            raise invalid("body.password", rule)
        return hash_password(password, self.peppers(), cost=self.bcrypt_cost)

    def _acknowledge(self, origin: Origin, user: User, now: float) -> None:
        """The password is set. The place where the link was opened is one that the user is known
        at, so strangers who guess passwords cannot lock the owner out."""
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

    def _refused(self, origin: Origin, user: User | None) -> Problem:
        self.security.record(
            "auth.password_reset",
            "failure",
            origin,
            org_id=user["org_id"] if user else "",
            actor=user["id"] if user else "",
            reason="invalid token",
        )
        return Problem("invalid_token", "The link is invalid, was already used, or has expired.")


def _may_reset(user: User, link: LinkToken, now: float) -> bool:
    reset = user.get("reset")
    return bool(reset and link.is_kept_as(reset["token_hash"]) and reset["expires_at"] > now)
