"""Queue messages that ask for webhooks to be sent, and the sweep that queues what is due."""

from collections.abc import Mapping
from typing import Any

from imagelayer.platform.consumer import consume
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current
from imagelayer.webhooks.messages import DeliveryTask
from imagelayer.webhooks.wiring import WebhooksWiring


@traced
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work each message off; returns those that failed, which SQS delivers again. An event
    without messages is the schedule's."""
    platform = current()
    if "Records" not in event:
        swept = platform.part(WebhooksWiring).sweep.sweep(platform.clock())
        platform.log.info("swept", extra=dict(swept))
        return swept
    return consume(
        event,
        platform,
        DeliveryTask,
        lambda task, _: platform.part(WebhooksWiring).webhook_worker.work(task),
        metric="Webhook",
        failure="a webhook was not worked off",
    )
