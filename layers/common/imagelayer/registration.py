"""Sign-up: captcha, address rules, the daily cap, one transaction, one mail.

The answer is the same whether or not the address was taken; only the mail differs.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imagelayer.email_policy import canonical_address, refuse_disposable
from imagelayer.errors import Problem, invalid
from imagelayer.ids import is_id, new_id
from imagelayer.mails import already_registered, verification
from imagelayer.passwords import Peppers, broken_rule, hash_password
from imagelayer.principals import Origin
from imagelayer.providers.turnstile import CaptchaRefused, CaptchaUnavailable, Turnstile
from imagelayer.rate_limits import POLICIES, Limited
from imagelayer.security_events import SecurityLog
from imagelayer.stores.accounts import AccountStore
from imagelayer.stores.counters import CounterStore
from imagelayer.stores.mail import Mailer
from imagelayer.times import end_of_utc_day, utc_day

VERIFICATION_HOURS = 24


@dataclass(frozen=True)
class Registration:
    """The use cases of becoming a user."""

    accounts: AccountStore
    counters: CounterStore
    mailer: Mailer
    turnstile: Turnstile
    security: SecurityLog
    peppers: Callable[[], Peppers]
    bcrypt_cost: int
    daily_cap: int
    base_url: str

    def register(
        self,
        origin: Origin,
        now: float,
        *,
        email: str,
        password: str,
        name: str,
        organization_name: str,
        turnstile_token: str,
    ) -> None:
        """Start a registration. Raises Problem or StoreUnavailable.

        The mail goes out after the account is written. When it cannot be sent, the caller is told
        503, and the same call again finds the unverified account and sends its mail.
        """
        try:
            self._verify_captcha(turnstile_token, origin)
            canonical = canonical_address(email)
            refuse_disposable(canonical)
            local, _, domain = canonical.partition("@")
            rule = broken_rule(password, [local, domain, *name.split(), *organization_name.split()])
            if rule is not None:
                raise invalid("body.password", rule)
            self._take_daily_slot(origin, now)
        except Problem as problem:
            self.security.record("auth.register", "denied", origin, reason=problem.code)
            raise
        token, pending = self._pending(password, name, now)
        user: dict[str, Any] = {
            "id": new_id("usr", now),
            "org_id": new_id("org", now),
            "email": canonical,
            "name": name,
            "created_at": int(now),
            "pending": pending,
        }
        organization = {
            "id": user["org_id"],
            "name": organization_name,
            "created_at": int(now),
        }
        holder = self.accounts.create(user, organization)
        if holder is None:
            self.security.record(
                "auth.register", "success", origin, org_id=user["org_id"], actor=user["id"]
            )
            self._send_verification(user, token)
            return
        self.security.record(
            "auth.register_existing",
            "success",
            origin,
            org_id=holder["org_id"],
            actor=holder["id"],
        )
        if not self._may_mail(canonical, now):
            return
        if self.accounts.replace_pending(holder["id"], pending):
            self._send_verification({**holder, "name": name}, token)
        else:
            self.mailer.send(
                already_registered(holder["email"], name=holder["name"], base_url=self.base_url)
            )

    def verify(self, origin: Origin, now: float, token: str) -> None:
        """Confirm an address with the token of its mail. Raises Problem 400."""
        body, _, secret = token.partition(".")
        user_id = f"usr_{body}"
        user = (
            self.accounts.verify(user_id, _hash(secret), secrets.token_hex(8), int(now))
            if is_id("usr", user_id)
            else None
        )
        if user is None:
            self.security.record("auth.verify_email", "failure", origin, reason="invalid token")
            raise Problem("invalid_token", "The link is invalid, was used, or has expired.")
        self.security.record(
            "auth.verify_email", "success", origin, org_id=user["org_id"], actor=user_id
        )

    def resend(self, origin: Origin, now: float, email: str) -> None:
        """Send the mail again if a registration awaits it; the answer never tells."""
        canonical = canonical_address(email)
        if not self._may_mail(canonical, now):
            return
        user = self.accounts.by_email(canonical)
        pending = user and user.get("pending")
        if not user or not pending:
            return
        token = secrets.token_urlsafe(32)
        renewed = {**pending, "token_hash": _hash(token), "expires_at": _expiry(now)}
        if self.accounts.replace_pending(user["id"], renewed):
            self.security.record(
                "auth.verification_sent",
                "success",
                origin,
                org_id=user["org_id"],
                actor=user["id"],
            )
            self._send_verification({**user, "name": pending["name"]}, token)

    def _may_mail(self, canonical: str, now: float) -> bool:
        """Count one mail to an address that is known already or may be.

        The caller answers as if it had been sent: the limit must not tell whether it was known.
        """
        policy = POLICIES["mail-per-address"]
        try:
            self.counters.admit(_hash(canonical), policy, int(now * 1000))
        except Limited:
            return False
        return True

    def _verify_captcha(self, token: str, origin: Origin) -> None:
        try:
            self.turnstile.verify(token, origin.ip)
        except CaptchaRefused as refusal:
            raise Problem(
                "captcha_failed",
                "The captcha was not accepted; please solve it again.",
                reason=refusal.reason,
            ) from None
        except CaptchaUnavailable as fault:
            raise Problem(
                "dependency_unavailable",
                "The captcha cannot be checked right now.",
                reason=fault.reason,
            ) from None

    def _take_daily_slot(self, origin: Origin, now: float) -> None:
        midnight = end_of_utc_day(now)
        if not self.counters.take(
            "register", origin.ip, utc_day(now), limit=self.daily_cap, expires_at=midnight + 86_400
        ):
            raise Problem(
                "registration_limit",
                "There were too many registrations from this address today.",
                headers={
                    "Retry-After": str(midnight - int(now)),
                    "RateLimit-Policy": f'"registrations";q={self.daily_cap};w=86400',
                    "RateLimit": f'"registrations";r=0;t={midnight - int(now)}',
                },
            )

    def _pending(self, password: str, name: str, now: float) -> tuple[str, dict[str, Any]]:
        token = secrets.token_urlsafe(32)
        return token, {
            "token_hash": _hash(token),
            "password_hash": hash_password(password, self.peppers(), cost=self.bcrypt_cost),
            "name": name,
            "expires_at": _expiry(now),
        }

    def _send_verification(self, user: dict[str, Any], token: str) -> None:
        link_token = f"{user['id'].removeprefix('usr_')}.{token}"
        self.mailer.send(
            verification(
                user["email"],
                name=user["name"],
                base_url=self.base_url,
                token=link_token,
                hours=VERIFICATION_HOURS,
            )
        )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _expiry(now: float) -> int:
    return int(now) + VERIFICATION_HOURS * 3600
