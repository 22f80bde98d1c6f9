"""Secrets Manager's rotation of the pepper."""

import time
from collections.abc import Mapping
from typing import Any

from imagelayer.identity.wiring import IdentityWiring
from imagelayer.platform.tracing import traced
from imagelayer.platform.wiring import current


@traced
def handler(event: Mapping[str, Any], context: object) -> None:
    current().part(IdentityWiring).pepper_rotation.step(
        event["Step"], event["SecretId"], event["ClientRequestToken"], time.time()
    )
