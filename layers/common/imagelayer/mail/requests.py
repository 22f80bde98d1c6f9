"""Requests for a mail, as the worker reads them from the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imagelayer.mail.letters import Occasion
from imagelayer.platform.frozen import frozen
from imagelayer.platform.principals import Origin
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.mail.messages import MailMessage


@frozen
class MailRequest:
    """One queue message: the kind of mail, and whom or what it is about."""

    kind: str
    about: Mapping[str, Any]
    id: str
    first: bool  # not a repeated delivery
    at: int

    @property
    def origin(self) -> Origin:
        """Where the request came from."""
        about = self.about
        return Origin(
            str(about.get("ip", "")), str(about.get("request_id", "")), str(about.get("client", ""))
        )

    @property
    def occasion(self) -> Occasion:
        """The same, in words."""
        at = rfc3339(self.at).replace("T", " ").removesuffix(":00Z")[:16] + " UTC"
        return Occasion(at, self.origin.client, self.origin.ip)


def requested(message: MailMessage, record: Mapping[str, Any]) -> MailRequest:
    """The mail that a queue record requests."""
    received = int((record.get("attributes") or {}).get("ApproximateReceiveCount", 1))
    about = message.model_extra or {}
    return MailRequest(message.kind, about, str(record["messageId"]), received <= 1, message.at)
