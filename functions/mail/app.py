"""Queue messages that ask for a mail."""

import json
import time
from collections.abc import Mapping
from typing import Any

from imagelayer.mail.wiring import MailWiring
from imagelayer.mail.worker import read_message
from imagelayer.platform.wiring import current


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work each message off; those that failed are named, and SQS delivers them again."""
    failed = []
    for record in event["Records"]:
        platform = current()
        try:
            message = read_message(record, json.loads(record["body"]))
            outcome = platform.part(MailWiring).mail_worker.work(message, time.time())
            platform.count(f"Mail{outcome.title()}")
        except Exception as fault:  # noqa: BLE001
            # Whatever it was, the message comes again and the others are worked off. Its text
            # could quote an address; its kind cannot.
            platform.log.error("a mail was not sent", cause=type(fault).__name__)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
