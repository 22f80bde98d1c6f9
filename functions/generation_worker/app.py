"""Queue messages that name a generation to work off."""

import json
from collections.abc import Mapping
from typing import Any

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.generations.worker import read_message
from imagelayer.platform.wiring import current


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work each message off; those that failed are named, and SQS delivers them again."""
    failed = []
    for record in event["Records"]:
        platform = current()
        try:
            org_id, generation_id = read_message(json.loads(record["body"]))
            outcome = platform.part(GenerationsWiring).generation_worker.work(
                org_id, generation_id, record["messageId"]
            )
            platform.count(f"Generation{outcome.title()}")
        except Exception:
            platform.log.exception("a generation was not worked off")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
