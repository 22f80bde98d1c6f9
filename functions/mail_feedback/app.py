"""SNS notifications of mails that bounced or were complained of."""

import json
import time
from collections.abc import Mapping
from typing import Any

from imagelayer.mail.wiring import MailWiring
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> None:
    platform = current()
    for record in event["Records"]:
        stopped = platform.part(MailWiring).mail_feedback.receive(
            json.loads(record["Sns"]["Message"]), time.time()
        )
        if stopped:
            platform.count("MailSuppressed")
