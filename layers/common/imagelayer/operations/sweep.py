"""The scheduled sweep over all domains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.store import AccountStore
from imagelayer.platform.sweeping import Sweep, sweep_due
from imagelayer.platform.table import Item


@dataclass(frozen=True)
class Cleanup:
    """The use case of one scheduled event."""

    sweeps: Sequence[Sweep]

    def sweep(self, now: float) -> dict[str, int]:
        """Run each domain's sweep; returns their counts added up."""
        total: Counter[str] = Counter()
        for each in self.sweeps:
            total.update(each.sweep(now))
        return dict(total)


@dataclass(frozen=True)
class SignUpSweep:
    """The sweep's part for sign-ups that were never confirmed."""

    accounts: AccountStore
    security: SecurityLog
    warn: Callable[[str], None]

    def sweep(self, now: float) -> dict[str, int]:
        """Free every address that was not confirmed in time."""
        return sweep_due(
            self.accounts.due, self._user, now, outcomes=("unconfirmed",), warn=self.warn
        )

    def _user(self, user: Item, now: int) -> str | None:
        """Free the address, unless a newer sign-up for it is still pending."""
        waits_until = (user.get("pending") or {}).get("expires_at", 0)
        if waits_until > now:
            self.accounts.postpone(user, waits_until)
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
