"""The daily look at which image models will be shut down."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.wiring import current


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    return current().model_probe.probe(time.time())
