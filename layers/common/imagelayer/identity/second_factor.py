"""The second factor: codes of an authenticator (TOTP, RFC 6238), and recovery codes.

The secret that an authenticator shares with us is kept sealed (`sealing`), recovery codes as
SHA-256: with over 120 random bits they need no slow hash (ASVS 5.0 6.5.2 requires one below 112).
A code works once: the newest step that was used is kept, and no code of that step or an earlier one
is accepted again. Wrong codes are counted per account; a right one resets the count.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.passwords import PepperSource
from imagelayer.identity.reauthentication import Reauthentication
from imagelayer.identity.sealing import Unreadable, pepper_of_sealed, seal, unseal
from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.store import AccountStore
from imagelayer.identity.user_changes import Change, UserChanges
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import StoreUnavailable
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.identity.records import Totp, User

ISSUER = "ImageLayer"
STEP_SECONDS = 30
WINDOW_STEPS = 1  # a clock may be off by one step either way (RFC 6238 §5.2)
ENROLMENT_SECONDS = 900
RECOVERY_CODES = 10
# Without letters and digits that are easily mistaken for one another.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 5, 5  # 31^25: just under 124 bits
_PURPOSE = "totp"


class CodeRefused(Exception):
    """A code that is not accepted; `reason` is for the log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class AcceptedCode:
    """A code that is right, and the second factor as it must be kept so that the code is spent."""

    totp: Totp
    recovery: bool


@frozen
class Verifier:
    """Checks codes; every decision is part of a transaction on the user as they were read."""

    counters: CounterStore
    peppers: PepperSource

    def check(
        self,
        user: User,
        now: float,
        *,
        totp_code: str | None,
        recovery_code: str | None = None,
        session_id: str = "",
    ) -> AcceptedCode:
        """Accept one code of an enrolled user. Raises CodeRefused.

        `session_id` names the session that the code opens: should the answer of that login be
        lost before it was acknowledged, the same code opens another in its place.
        """
        totp = user["totp"]
        if totp_code is not None:
            secret = self.open(totp["secret"], user["id"])
            step = matching_step(secret, totp_code, now)
            if step is None:
                raise CodeRefused("wrong code")
            repeated = step == totp["last_step"] and totp.get("unacknowledged")
            if step <= totp["last_step"] and not repeated:
                raise CodeRefused("spent code")
            fresh: Totp = {
                **totp,
                "secret": seal(secret, _PURPOSE, user["id"], self.peppers()),
                "last_step": step,
                "unacknowledged": session_id,
            }
            return AcceptedCode(fresh, recovery=False)
        if recovery_code is not None:
            digest = _recovery_hash(recovery_code)
            if digest not in totp["recovery"]:
                raise CodeRefused("wrong recovery code")
            left = {kept: True for kept in totp["recovery"] if kept != digest}
            return AcceptedCode({**totp, "recovery": left, "unacknowledged": ""}, recovery=True)
        raise CodeRefused("no code")

    def record_attempt(self, user_id: str, now: float) -> None:
        """Count an attempt. Raises Limited."""
        self.counters.record_attempt(user_id, POLICIES["second-factor"], int(now * 1000))

    def reset_attempts(self, user_id: str) -> None:
        """Forget the attempts before a right code."""
        self.counters.reset_attempts(user_id, POLICIES["second-factor"])

    def open(self, sealed: str, user_id: str) -> str:
        """The secret that the authenticator has too. Raises CodeRefused."""
        try:
            return unseal(sealed, _PURPOSE, user_id, self.peppers(pepper_of_sealed(sealed)))
        except Unreadable:
            raise CodeRefused("unreadable secret") from None


@frozen
class SecondFactor:
    """The use cases of a second factor: set up, renewed, removed."""

    accounts: AccountStore
    organizations: OrganizationStore
    sessions: SessionStore
    user_changes: UserChanges
    reauthentication: Reauthentication
    verifier: Verifier
    security: SecurityLog
    outbox: Outbox
    peppers: PepperSource

    def start_totp(
        self, principal: Principal, origin: Origin, now: float, *, password: str
    ) -> dict[str, Any]:
        """Make a secret for an authenticator. Raises Problem 403 or 409, or Limited.

        It counts for nothing until a first code shows that the authenticator has it; starting
        again replaces it.
        """
        import pyotp

        user = self.reauthentication.check(principal, origin, now, password)
        if user.get("totp"):
            raise Problem("conflict", "A second factor is already set up. Remove it first.")
        secret = pyotp.random_base32()
        expires_at = int(now) + ENROLMENT_SECONDS
        sealed = seal(secret, _PURPOSE, user["id"], self.peppers())

        def decide(fresh: User) -> Change:
            if fresh.get("totp"):
                raise Problem("conflict", "A second factor is already set up. Remove it first.")
            return {"totp_pending": {"secret": sealed, "expires_at": expires_at}}, (), ()

        self.user_changes.change(user["id"], decide, end=False)
        uri = pyotp.TOTP(secret).provisioning_uri(name=user["email"], issuer_name=ISSUER)
        return {
            "secret": secret,
            "otpauth_uri": uri,
            "qr_svg": _qr(uri),
            "expires_at": rfc3339(expires_at),
        }

    def confirm_totp(
        self, principal: Principal, origin: Origin, now: float, *, totp_code: str
    ) -> dict[str, Any]:
        """Finish with a first code; answers the recovery codes. Raises Problem 401 or 409.

        A repeated call that finds its own work done, and its answer not acknowledged, makes new
        recovery codes, because the first ones may not have arrived.
        """
        self.verifier.record_attempt(principal.actor, now)
        codes = new_recovery_codes()

        def decide(user: User) -> Change:
            enrolled, pending = user.get("totp"), user.get("totp_pending")
            sealed = enrolled["secret"] if enrolled else pending and pending["secret"]
            repeated = bool(enrolled and enrolled.get("enrolled_by") == principal.session_id)
            if (enrolled and not repeated) or not sealed:
                raise Problem("conflict", "Start second-factor setup first.")
            if not enrolled and pending and pending["expires_at"] <= now:
                raise Problem("conflict", "The setup has expired. Start again.")
            step = matching_step(self.verifier.open(sealed, user["id"]), totp_code, now)
            if step is None or (enrolled and step != enrolled["last_step"]):
                raise CodeRefused("wrong code")
            totp: Totp = {
                "secret": sealed,
                "last_step": step,
                "recovery": {_recovery_hash(code): True for code in codes},
                "enrolled_by": principal.session_id,
            }
            opened = self.sessions.enrolled_action(user["id"], principal.session_id)
            return {"totp": totp}, ("totp_pending",), (opened,)

        self._decide(principal, origin, "auth.totp_enabled", decide, end=False)
        self.verifier.reset_attempts(principal.actor)
        self.outbox.notify("totp_enabled", origin, now, user_id=principal.actor)
        with suppress(StoreUnavailable):  # until then the same call makes the codes anew
            self.accounts.acknowledge_enrolment(principal.actor)
        return {"recovery_codes": codes}

    def renew_recovery_codes(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        password: str,
        totp_code: str | None,
        recovery_code: str | None,
    ) -> dict[str, Any]:
        """Replace the recovery codes. Raises Problem 401, 403 or 409, or Limited."""
        self.reauthentication.check(principal, origin, now, password)
        self.verifier.record_attempt(principal.actor, now)
        codes = new_recovery_codes()

        def decide(user: User) -> Change:
            accepted = self._accept(user, now, totp_code, recovery_code)
            recovery = {_recovery_hash(code): True for code in codes}
            return {"totp": {**accepted.totp, "recovery": recovery}}, (), ()

        self._decide(principal, origin, "auth.recovery_codes_renewed", decide, end=False)
        self.verifier.reset_attempts(principal.actor)
        self.outbox.notify("recovery_codes_renewed", origin, now, user_id=principal.actor)
        return {"recovery_codes": codes}

    def disable_totp(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        password: str,
        totp_code: str | None,
        recovery_code: str | None,
    ) -> None:
        """Remove the second factor and end every other session.

        A recovery code does as well as the authenticator's, which may be lost. Raises Problem 401,
        403 or 409, or Limited.
        """
        self.reauthentication.check(principal, origin, now, password)
        self.verifier.record_attempt(principal.actor, now)

        def decide(user: User) -> Change:
            if principal.role != "owner":
                self._accept(user, now, totp_code, recovery_code)
                return {}, ("totp",), ()
            organization = self.organizations.get_organization(principal.org_id)
            if organization and organization.get("owners_need_second_factor"):
                raise Problem(
                    "second_factor_required",
                    "The organization requires a second factor of its owners.",
                )
            self._accept(user, now, totp_code, recovery_code)
            # If another owner requires it at this moment, this is refused and starts over.
            return {}, ("totp",), (self.organizations.factor_optional_check(principal.org_id),)

        self._decide(
            principal, origin, "auth.totp_disabled", decide, end=True, keep=principal.session_id
        )
        self.verifier.reset_attempts(principal.actor)
        self.outbox.notify("totp_disabled", origin, now, user_id=principal.actor)

    def _accept(
        self, user: User, now: float, totp_code: str | None, recovery_code: str | None
    ) -> AcceptedCode:
        if not user.get("totp"):
            raise Problem("conflict", "No second factor is set up.")
        return self.verifier.check(user, now, totp_code=totp_code, recovery_code=recovery_code)

    def _decide(
        self,
        principal: Principal,
        origin: Origin,
        event: str,
        decide: Callable[[User], Change],
        *,
        end: bool,
        keep: str | None = None,
    ) -> None:
        log = self.security.by(principal, origin)
        try:
            self.user_changes.change(principal.actor, decide, keep=keep, end=end)
        except CodeRefused as refusal:
            log.record(event, "failure", reason=refusal.reason)
            raise Problem(
                "invalid_totp_code", "The code is wrong or was already used. Wait for the next one."
            ) from None
        log.record(event)


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The time step whose code this is, within the window, or None."""
    import pyotp

    totp = pyotp.TOTP(secret)
    current = int(now) // STEP_SECONDS
    steps = range(current - WINDOW_STEPS, current + WINDOW_STEPS + 1)
    # All are compared, so that the time does not show which one matched.
    matches = [step for step in steps if hmac.compare_digest(totp.at(step * STEP_SECONDS), code)]
    return matches[-1] if matches else None


def new_recovery_codes() -> list[str]:
    """Fresh codes such as `k7m2p-…`, each for one use."""
    return [
        "-".join(
            "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
        )
        for _ in range(RECOVERY_CODES)
    ]


def _recovery_hash(code: str) -> str:
    """Hyphens, spaces and case are how it was written down, not what it says."""
    plain = "".join(each for each in code.lower() if each.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()


def _qr(text: str) -> str:
    import segno

    return segno.make(text, error="m").svg_inline(scale=4, border=4, dark="#000", light="#fff")
