"""S3 events of uploaded brand files."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.brands.wiring import BrandsWiring
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> None:
    for record in event["Records"]:
        outcome = (
            current()
            .part(BrandsWiring)
            .brand_intake.receive(record["s3"]["object"]["key"], time.time())
        )
        current().count(f"Upload{outcome.title()}")
