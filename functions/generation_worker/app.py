"""Queue messages that name a generation to work off."""

from collections.abc import Mapping
from typing import Any

from imagelayer.generations.messages import GenerationTask
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.platform.consumer import consume
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work each message off; returns those that failed, which SQS delivers again."""
    platform = current()
    return consume(
        event,
        platform,
        GenerationTask,
        lambda task, record: platform.part(GenerationsWiring).generation_worker.work(
            task.org_id, task.generation_id, record["messageId"]
        ),
        metric="Generation",
        failure="a generation was not worked off",
    )
