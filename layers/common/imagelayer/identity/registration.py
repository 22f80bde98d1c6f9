"""Becoming a user: sign-up, confirmation of the address, and acceptance of invitations.

A sign-up is captcha, address rules, the daily cap, one write and one message to the mail function,
in this order and whether or not the address has an account. The answer is the same; only the mail
differs, and the mail function sends it. An account is made when the mail's link is used, with the
names and the password that come with it (docs/decisions/0006).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import (
    DomainLists,
    address_hash,
    canonical_address,
    refuse_disposable,
)
from imagelayer.identity.link_tokens import SIGN_UP_SECONDS, LinkToken
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.passwords import (
    PepperSource,
    broken_rule,
    context_words,
    hash_password,
    pepper_of,
    verify_password,
)
from imagelayer.identity.roles import managers_of, may_manage
from imagelayer.identity.store import AccountStore
from imagelayer.identity.turnstile import CaptchaRefused, CaptchaUnavailable, Turnstile
from imagelayer.limits.counters import CounterStore
from imagelayer.platform.errors import Problem, invalid
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin
from imagelayer.platform.table import StoreUnavailable
from imagelayer.platform.times import end_of_utc_day, utc_day

if TYPE_CHECKING:
    from imagelayer.identity.records import Invitation, Organization, User

CAPTCHA_SECONDS = 600  # twice the lifetime of a Turnstile token

_ADDRESS_HASH = re.compile(r"[0-9a-f]{64}")


@frozen
class Registration:
    """The use cases of becoming a user."""

    accounts: AccountStore
    organizations: OrganizationStore
    counters: CounterStore
    outbox: Outbox
    turnstile: Turnstile
    security: SecurityLog
    peppers: PepperSource
    bcrypt_cost: int
    daily_cap: int
    domains: DomainLists

    def register(self, origin: Origin, now: float, *, email: str, turnstile_token: str) -> None:
        """Start a registration. Raises Problem or StoreUnavailable.

        The sign-up is kept, then the mail is requested. A call that fails between the two leaves a
        sign-up that expires; the same call again goes through both and sends the mail.
        """
        try:
            self._verify_captcha(turnstile_token, origin)
            canonical = canonical_address(email)
            refuse_disposable(canonical, self.domains)
            self._spend_captcha(turnstile_token, canonical, now)
            self._take_daily_slot(origin, now)
        except Problem as problem:
            self.security.record("auth.register", "denied", origin, reason=problem.code)
            raise
        address = address_hash(canonical)
        self.accounts.keep_sign_up(canonical, address, int(now) + SIGN_UP_SECONDS)
        self.security.record("auth.register", "success", origin)
        self.outbox.ask("sign_up", origin, now, address=address)

    def verify_email(
        self,
        origin: Origin,
        now: float,
        *,
        token: str,
        name: str,
        organization_name: str,
        password: str,
    ) -> None:
        """Make an account with the token of a verification mail. Raises Problem 400 or 422.

        The token shows that its holder reads the mailbox. Names and password come with it, so
        nothing that was given before the confirmation becomes part of the account. One transaction
        consumes the token and creates user and organization; a second write acknowledges that the
        answer is on its way. A client that got no answer repeats its call: until the
        acknowledgement, the same call gets the same answer and changes nothing. After it the token
        is spent.
        """
        link = LinkToken.parse(token, "email")
        address = _address_of(link)
        sign_up = self.accounts.get_sign_up(address, int(now)) if address else None
        kept = sign_up.get("link") if sign_up else None
        if (
            link is None
            or sign_up is None
            or kept is None
            or not link.is_kept_as(kept["token_hash"])
            or kept["expires_at"] <= now
        ):
            if link is not None and address and self._confirmed_before(link, address, password):
                return
            raise self._invalid_link(origin)
        canonical = sign_up["email"]
        self._refuse_weak(password, canonical, name, organization_name)
        user: User = {
            "id": new_id("usr", now),
            "org_id": new_id("org", now),
            "email": canonical,
            "name": name,
            "created_at": int(now),
            "rev": 0,
            "verified_at": int(now),
            "password_hash": hash_password(password, self.peppers(), cost=self.bcrypt_cost),
            "joined_with": link.hash,
        }
        organization: Organization = {
            "id": user["org_id"],
            "name": organization_name,
            "created_at": int(now),
            "owners": 1,
        }
        if not self.accounts.confirm_sign_up(kept, user, organization, address, int(now)):
            if self._confirmed_before(link, address, password):
                return
            raise self._invalid_link(origin)
        self._acknowledge(user["id"])
        self.security.record(
            "auth.verify_email", "success", origin, org_id=user["org_id"], actor=user["id"]
        )

    def resend_verification(self, origin: Origin, now: float, email: str) -> None:
        """Send the mail again if a sign-up awaits it; the answer does not show whether one does."""
        self.outbox.ask("verification", origin, now, address=address_hash(canonical_address(email)))

    def accept_invitation(
        self, origin: Origin, now: float, *, token: str, name: str, password: str
    ) -> None:
        """Join an organization with the token of a mail. Raises Problem 400, 409 or 422.

        The token shows that its holder reads the mailbox, so the address is verified with it. As in
        `verify_email`, the same call is answered again until its answer was acknowledged.
        """
        link = LinkToken.parse(token, "org", "inv")
        known = link is not None and is_id("org", link.owner[0]) and is_id("inv", link.owner[1])
        invitation = (
            self.organizations.get_invitation(link.owner[0], link.owner[1], int(now))
            if link and known
            else None
        )
        if (
            link is None
            or invitation is None
            or not link.is_kept_as(invitation.get("token_hash"))
            or not self._is_backed(invitation)
        ):
            if link is not None and known and self._joined_before(link, password):
                return
            self.security.record("member.joined", "failure", origin, reason="invalid token")
            raise Problem(
                "invalid_token", "The invitation is invalid, was already used, or has expired."
            )
        canonical = invitation["email"]
        organization = self.organizations.get_organization(invitation["org_id"])
        organization_name = organization["name"] if organization else ""
        self._refuse_weak(password, canonical, name, organization_name)
        address = address_hash(canonical)
        if self.accounts.get_user_by_address(address) is not None:
            raise Problem(
                "address_taken",
                "This address already has an account; an account belongs to one organization.",
            )
        user: User = {
            # Drawn from the invitation, so that a repeated call finds the user it made.
            "id": _invited_user_id(link),
            "org_id": invitation["org_id"],
            "email": canonical,
            "name": name,
            "created_at": int(now),
            "rev": 0,
            "verified_at": int(now),
            "password_hash": hash_password(password, self.peppers(), cost=self.bcrypt_cost),
            "joined_with": link.hash,
        }
        if not self.accounts.accept_invitation(
            invitation, user, address, managers_of(invitation["role"])
        ) and not self._joined_before(link, password):
            raise Problem("conflict", "The invitation was changed by another request. Try again.")
        self._acknowledge(user["id"])
        self.security.record(
            "member.joined", "success", origin, org_id=user["org_id"], actor=user["id"]
        )

    def _is_backed(self, invitation: Invitation) -> bool:
        """Whether its sender may still invite with its role. An early check; the transaction
        enforces it under concurrency."""
        inviter = self.organizations.get_role(invitation["org_id"], invitation["invited_by"])
        return inviter is not None and may_manage(inviter, invitation["role"])

    def _refuse_weak(self, password: str, address: str, *names: str) -> None:
        rule = broken_rule(password, context_words(address, *names))
        if rule is not None:
            raise invalid("body.password", rule)

    def _invalid_link(self, origin: Origin) -> Problem:
        self.security.record("auth.verify_email", "failure", origin, reason="invalid token")
        return Problem("invalid_token", "The link is invalid, was already used, or has expired.")

    def _confirmed_before(self, link: LinkToken, address: str, password: str) -> bool:
        """Whether this very call has made its account already and its answer was lost."""
        return self._made_before(self.accounts.get_user_by_address(address), link, password)

    def _joined_before(self, link: LinkToken, password: str) -> bool:
        """The same, for the acceptance of an invitation."""
        return self._made_before(self.accounts.get_user(_invited_user_id(link)), link, password)

    def _made_before(self, user: User | None, link: LinkToken, password: str) -> bool:
        if user is None or not link.is_kept_as(user.get("joined_with")):
            return False
        stored = user["password_hash"]
        peppers = self.peppers(pepper_of(stored))
        if not verify_password(password, stored, peppers, cost=self.bcrypt_cost):
            return False
        self._acknowledge(user["id"])
        return True

    def _acknowledge(self, user_id: str) -> None:
        try:
            self.accounts.acknowledge(user_id, "joined_with")
        except StoreUnavailable:
            return  # the token still gets its answer, and still changes nothing

    def _verify_captcha(self, token: str, origin: Origin) -> None:
        try:
            self.turnstile.verify(token, origin.ip)
        except CaptchaRefused as refusal:
            raise Problem(
                "captcha_failed",
                "The captcha was not accepted. Please solve it again.",
                reason=refusal.reason,
            ) from None
        except CaptchaUnavailable as fault:
            raise Problem(
                "dependency_unavailable",
                "The captcha cannot be verified right now. Try again later.",
                reason=fault.reason,
            ) from None

    def _spend_captcha(self, token: str, canonical: str, now: float) -> None:
        """One solved captcha is valid for one address: sent again for the same address it is a
        retry, for another it is spent."""
        if self.turnstile.is_reusable(token):
            return
        digest = hashlib.sha256(token.encode()).hexdigest()
        expires_at = int(now) + CAPTCHA_SECONDS
        if not self.counters.bind(
            "captcha", digest, address_hash(canonical), expires_at=expires_at, now=int(now)
        ):
            raise Problem(
                "captcha_failed",
                "The captcha was not accepted. Please solve it again.",
                reason="spent on another address",
            )

    def _take_daily_slot(self, origin: Origin, now: float) -> None:
        midnight = end_of_utc_day(now)
        if not self.counters.take(
            "register", origin.ip, utc_day(now), limit=self.daily_cap, expires_at=midnight + 86_400
        ):
            raise Problem(
                "registration_limit",
                "There were too many registrations from this address today. Try again tomorrow.",
                headers={
                    "Retry-After": str(midnight - int(now)),
                    "RateLimit-Policy": f'"registrations";q={self.daily_cap};w=86400',
                    "RateLimit": f'"registrations";r=0;t={midnight - int(now)}',
                },
            )


def _address_of(link: LinkToken | None) -> str:
    """The hash of the address whose link this is, or nothing."""
    _, _, address = link.owner[0].partition("_") if link else ("", "", "")
    return address if _ADDRESS_HASH.fullmatch(address) else ""


def _invited_user_id(link: LinkToken) -> str:
    return f"usr_{link.owner[1].removeprefix('inv_')}"
