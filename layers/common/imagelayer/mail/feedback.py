"""SES notifications of bounces and complaints.

Mail to such an address stops: mailbox providers rate a sender by how much of its mail is unwanted,
and SES stops a sender who goes on (at 10 percent bounces or 0.5 percent complaints). Only the
address's hash is kept. Temporary bounces ("Transient") stop nothing.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash, lookup_address
from imagelayer.identity.store import AccountStore
from imagelayer.mail.suppressions import SuppressionStore
from imagelayer.platform.frozen import frozen


@frozen
class MailFeedback:
    """The use case of one notification."""

    accounts: AccountStore
    suppressions: SuppressionStore
    security: SecurityLog

    def receive(self, notice: Mapping[str, Any], now: float) -> int:
        """Stop mail to the addresses of a bounce or complaint; returns to how many."""
        reason, addresses = _refusals(notice)
        hashes = [address_hash(lookup_address(address)) for address in addresses]
        self.suppressions.suppress(hashes, reason, int(now))
        for each in hashes:
            user = self.accounts.get_user_by_address(each)
            self.security.record(
                "mail.suppressed",
                "success",
                org_id=user["org_id"] if user else "",
                actor=user["id"] if user else "",
                reason=reason,
            )
        return len(hashes)


def _refusals(notice: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Event publishing says `eventType`, identity notifications say `notificationType`."""
    kind = notice.get("eventType") or notice.get("notificationType")
    if kind == "Bounce" and notice["bounce"]["bounceType"] == "Permanent":
        return "bounce", list(_addresses(notice["bounce"]["bouncedRecipients"]))
    if kind == "Complaint":
        return "complaint", list(_addresses(notice["complaint"]["complainedRecipients"]))
    return "", []


def _addresses(recipients: list[Mapping[str, Any]]) -> Iterator[str]:
    for recipient in recipients:
        _, _, address = str(recipient["emailAddress"]).rpartition("<")
        yield address.rstrip(">").strip()
