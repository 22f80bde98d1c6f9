"""Tells the owners when 80 and when 100 percent of the month's credits are used."""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer.outbox import Outbox
from imagelayer.security_events import SecurityLog
from imagelayer.stores.credits import CreditStore
from imagelayer.stores.table import Item, StoreUnavailable

PERCENTS = (80, 100)


@dataclass(frozen=True)
class QuotaAlerts:
    """Asks for the mails; the mail function sends each once a month (`claim_notice`)."""

    credits: CreditStore
    outbox: Outbox
    security: SecurityLog

    def settled(self, org_id: str, month: str, now: float) -> None:
        """Look at the balance after a charge. What was charged stands, whatever happens here."""
        try:
            balance = self.credits.balance(org_id, month)
            if balance is None or not balance["allowance"]:
                return
            for percent in PERCENTS:
                if balance["used"] * 100 >= balance["allowance"] * percent:
                    self._tell(org_id, month, percent, balance, now)
        except StoreUnavailable as fault:
            self.outbox.lost(f"a quota alert was not made: {fault.reason}")

    def denied(self, org_id: str, month: str, balance: Item | None, now: float) -> None:
        """A request was refused for want of credits: for whoever asked, all are used."""
        try:
            if balance is not None:
                self._tell(org_id, month, 100, balance, now)
        except StoreUnavailable as fault:
            self.outbox.lost(f"a quota alert was not made: {fault.reason}")

    def _tell(self, org_id: str, month: str, percent: int, balance: Item, now: float) -> None:
        """Ask, then note that it was asked: racing charges may ask twice, and none is lost."""
        if f"alerted_{percent}" in balance:
            return
        self.outbox.ask(
            "quota",
            None,
            now,
            org_id=org_id,
            month=month,
            percent=percent,
            allowance=balance["allowance"],
        )
        if self.credits.mark_alerted(org_id, month, percent):
            self.security.record(
                "quota.alert", "success", org_id=org_id, reason=f"{percent} percent"
            )
