"""The scheduled sweep."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.operations.wiring import OperationsWiring
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    platform = current()
    swept = platform.part(OperationsWiring).sweep.sweep(time.time())
    platform.log.info("swept", extra=dict(swept))
    return swept
