"""Queue messages that ask for webhooks to be sent, and the sweep of those that were forgotten."""

import json
from collections.abc import Mapping
from typing import Any

from imagelayer.platform.wiring import current
from imagelayer.webhooks.delivery import read_task
from imagelayer.webhooks.wiring import WebhooksWiring


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work each message off; those that failed are named, and SQS delivers them again. An event
    without messages is the schedule's."""
    if "Records" not in event:
        platform = current()
        swept = platform.part(WebhooksWiring).sweep.sweep(platform.clock())
        platform.log.info("swept", extra=dict(swept))
        return swept
    failed = []
    for record in event["Records"]:
        platform = current()
        try:
            outcome = platform.part(WebhooksWiring).webhook_worker.work(
                read_task(json.loads(record["body"]))
            )
            platform.count(f"Webhook{outcome.title()}")
        except Exception as fault:  # noqa: BLE001
            # Whatever it was, the message comes again. Its text could quote a URL; its kind cannot.
            platform.log.error("a webhook was not worked off", cause=type(fault).__name__)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
