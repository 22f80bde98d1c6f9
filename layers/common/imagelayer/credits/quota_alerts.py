"""Alerts owners and webhooks when 80 and 100 percent of the month's credits are used."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from imagelayer.audit.security_log import SecurityLog
from imagelayer.credits.store import CreditStore, allowance_name, pool_of
from imagelayer.platform.frozen import frozen
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.table import StoreUnavailable
from imagelayer.platform.times import utc_month
from imagelayer.webhooks.outbox import WebhookOutbox

if TYPE_CHECKING:
    from imagelayer.credits.records import Balance

PERCENTS = (80, 100)


@frozen
class QuotaAlerts:
    """Requests the mails; the mail function sends each once a month."""

    credits: CreditStore
    outbox: Outbox
    security: SecurityLog
    webhooks: WebhookOutbox

    def settled(self, org_id: str, names: Collection[str], now: float) -> None:
        """Check this month's allowance after a charge to these balances. A failure here does not
        affect the charge."""
        month = utc_month(now)
        try:
            for name in names:
                if pool_of(name) == month:
                    self._check(org_id, name, month, now)
                    return
        except StoreUnavailable as fault:
            self.outbox.lost(f"a quota alert was not made: {fault.reason}")

    def denied(self, org_id: str, now: float) -> None:
        """A request was refused because credits are insufficient: for its caller all are used."""
        month = utc_month(now)
        try:
            balances = self.credits.pool(org_id, allowance_name(now, month))
            if balances:
                self._alert(org_id, month, 100, balances, now)
        except StoreUnavailable as fault:
            self.outbox.lost(f"a quota alert was not made: {fault.reason}")

    def _check(self, org_id: str, name: str, month: str, now: float) -> None:
        balances = self.credits.pool(org_id, name)
        allowance = sum(each["amount"] for each in balances)
        used = sum(each["used"] for each in balances)
        for percent in PERCENTS:
            if allowance and used * 100 >= allowance * percent:
                self._alert(org_id, month, percent, balances, now)

    def _alert(
        self, org_id: str, month: str, percent: int, balances: list[Balance], now: float
    ) -> None:
        """Send, then mark: racing charges may send twice, and no alert is lost."""
        first = balances[0]
        if f"alerted_{percent}" in first:
            return
        alert = {
            "month": month,
            "percent": percent,
            "allowance": sum(each["amount"] for each in balances),
        }
        self.outbox.ask("quota", None, now, org_id=org_id, **alert)
        self.webhooks.announce_once(org_id, "quota.alert", alert, now, f"{month} {percent}")
        if self.credits.mark_alerted(org_id, first["name"], percent):
            self.security.record(
                "quota.alert", "success", org_id=org_id, reason=f"{percent} percent"
            )
