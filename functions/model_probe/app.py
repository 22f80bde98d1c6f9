"""The daily look at which image models will be shut down."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.image_models.wiring import ImageModelsWiring
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    return current().part(ImageModelsWiring).model_probe.probe(time.time())
