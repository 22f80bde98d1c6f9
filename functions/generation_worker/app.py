"""Queue messages that name a generation to work off."""

import json
from collections.abc import Mapping
from typing import Any

from imagelayer.generation_worker import read_message
from imagelayer.wiring import current


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work each message off; those that failed are named, and SQS delivers them again."""
    failed = []
    for record in event["Records"]:
        wiring = current()
        try:
            org_id, generation_id = read_message(json.loads(record["body"]))
            outcome = wiring.generation_worker.work(org_id, generation_id, record["messageId"])
            wiring.count(f"Generation{outcome.title()}")
        except Exception:
            wiring.log.exception("a generation was not worked off")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
