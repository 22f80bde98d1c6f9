"""The operator's actions, invoked directly: `{"action": "grant_credits", "org_id": …}`."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.operations.administration import administer
from imagelayer.operations.wiring import OperationsWiring
from imagelayer.platform.errors import Problem
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """The action's result, or `{"error": {"code", "message"}}`."""
    try:
        return administer(current().part(OperationsWiring).operator, event, time.time())
    except Problem as problem:
        return {"error": {"code": problem.code, "message": problem.detail}}
