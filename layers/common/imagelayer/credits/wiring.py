"""Wires the credits domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.credits.quota_alerts import QuotaAlerts
    from imagelayer.credits.store import CreditStore
    from imagelayer.credits.usage import UsageReport
    from imagelayer.credits.wallet import Wallet


class CreditsWiring(Part):
    """Balances, the ledger, usage and alerts."""

    @cached_property
    def credit_store(self) -> CreditStore:
        from imagelayer.credits.store import CreditStore
        from imagelayer.limits.wiring import LimitsWiring

        return CreditStore(
            self.platform.client("dynamodb"),
            self.platform.table("CREDITS_TABLE"),
            self.part(LimitsWiring).tats,
        )

    @cached_property
    def wallet(self) -> Wallet:
        from imagelayer.credits.wallet import Wallet, WalletMemory

        return Wallet(self.credit_store, WalletMemory(), self.monthly_credits)

    @property
    def monthly_credits(self) -> int:
        return self.platform.settings.number("MONTHLY_CREDITS", 1000)

    @cached_property
    def usage(self) -> UsageReport:
        """The use case of the usage report."""
        from imagelayer.credits.usage import UsageReport

        return UsageReport(self.credit_store, self.monthly_credits)

    @cached_property
    def quota_alerts(self) -> QuotaAlerts:
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.credits.quota_alerts import QuotaAlerts
        from imagelayer.webhooks.wiring import WebhooksWiring

        return QuotaAlerts(
            self.credit_store,
            self.platform.outbox,
            self.part(AuditWiring).security,
            self.part(WebhooksWiring).webhook_outbox,
        )
