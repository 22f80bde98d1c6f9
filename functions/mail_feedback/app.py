"""SNS notifications of mails that bounced or were complained of."""

import json
import time
from collections.abc import Mapping
from typing import Any

from imagelayer.wiring import current


def handler(event: Mapping[str, Any], context: object) -> None:
    wiring = current()
    for record in event["Records"]:
        stopped = wiring.mail_feedback.receive(json.loads(record["Sns"]["Message"]), time.time())
        if stopped:
            wiring.count("MailSuppressed")
