"""Queue messages that request a mail, and the schedule that mails notices over their budget."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.mail.messages import MailMessage
from imagelayer.mail.requests import requested
from imagelayer.mail.wiring import MailWiring
from imagelayer.platform.consumer import consume
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work each message off; returns those that failed, which SQS delivers again. An event
    without messages is the schedule's."""
    platform = current()
    if "Records" not in event:
        swept = platform.part(MailWiring).mail_worker.sweep(time.time())
        platform.log.info("swept", extra=dict(swept))
        return swept
    return consume(
        event,
        platform,
        MailMessage,
        lambda message, record: platform.part(MailWiring).mail_worker.work(
            requested(message, record), time.time()
        ),
        metric="Mail",
        failure="a mail was not sent",
    )
