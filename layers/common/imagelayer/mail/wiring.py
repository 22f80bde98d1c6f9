"""Builds the objects of the mail domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.mail.feedback import MailFeedback
    from imagelayer.mail.mailer import Mailer
    from imagelayer.mail.notices import NoticeStore
    from imagelayer.mail.suppressions import SuppressionStore
    from imagelayer.mail.worker import MailWorker


class MailWiring(Part):
    """Letters: written, sent, and stopped where they are not wanted."""

    @cached_property
    def suppression_store(self) -> SuppressionStore:
        from imagelayer.mail.suppressions import SuppressionStore

        return SuppressionStore(self.platform.table("ACCOUNTS_TABLE"))

    @cached_property
    def _notices(self) -> NoticeStore:
        from imagelayer.mail.notices import NoticeStore

        return NoticeStore(self.platform.client("dynamodb"), self.platform.table("ACCOUNTS_TABLE"))

    @cached_property
    def mailer(self) -> Mailer:
        from imagelayer.mail.mailer import Mailer

        return Mailer(
            self.platform.client("sesv2"),
            self.platform.settings.need("MAIL_FROM"),
            self.platform.settings.need("MAIL_CONFIGURATION_SET"),
        )

    @cached_property
    def mail_worker(self) -> MailWorker:
        """Mails that requests put into the outbox."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.wiring import IdentityWiring
        from imagelayer.limits.wiring import LimitsWiring
        from imagelayer.mail.worker import MailWorker

        return MailWorker(
            accounts=self.part(IdentityWiring).account_store,
            organizations=self.part(IdentityWiring).organization_store,
            suppressions=self.suppression_store,
            counters=self.part(LimitsWiring).counters,
            notices=self._notices,
            mailer=self.mailer,
            security=self.part(AuditWiring).security,
            base_url=self.platform.settings.base_url,
            warn=self.platform.warn,
        )

    @cached_property
    def mail_feedback(self) -> MailFeedback:
        """Bounces and complaints."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.wiring import IdentityWiring
        from imagelayer.mail.feedback import MailFeedback

        return MailFeedback(
            self.part(IdentityWiring).account_store,
            self.suppression_store,
            self.part(AuditWiring).security,
        )
