"""The scheduled sweep."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.wiring import current


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    wiring = current()
    swept = wiring.cleanup.sweep(time.time())
    wiring.log.info("swept", extra=dict(swept))
    return swept
