"""Identity's part of the sweep: frees addresses whose sign-up was never confirmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.records import User
from imagelayer.identity.store import AccountStore
from imagelayer.platform.sweeping import sweep_due


@dataclass(frozen=True)
class SignUpSweep:
    """The sweep's part for sign-ups that were never confirmed."""

    accounts: AccountStore
    security: SecurityLog
    warn: Callable[[str], None]

    def sweep(self, now: float) -> dict[str, int]:
        """Free every address that was not confirmed in time."""
        return sweep_due(
            self.accounts.list_unconfirmed,
            self._remove,
            now,
            outcomes=("unconfirmed",),
            warn=self.warn,
        )

    def _remove(self, user: User, now: int) -> str | None:
        """Free the address, unless a newer sign-up for it is still pending."""
        pending = user.get("pending")
        if pending and pending["expires_at"] > now:
            self.accounts.postpone(user, pending["expires_at"])
            return None
        if not self.accounts.drop_unconfirmed(user, address_hash(user["email"]), now):
            return None
        self.security.record(
            "account.removed",
            "success",
            org_id=user["org_id"],
            actor="sweep",
            reason=user["id"],
        )
        return "unconfirmed"
