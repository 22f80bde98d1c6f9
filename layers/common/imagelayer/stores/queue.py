"""One SQS queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from imagelayer.stores.table import StoreUnavailable


class Queue:
    """Sends JSON messages; delivery is at least once, so consumers claim their work."""

    def __init__(self, client: Callable[[], Any], url: str) -> None:
        """`client` is called with the first message: most calls send none."""
        self._client = client
        self._url = url

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message. Raises StoreUnavailable."""
        try:
            self._client().send_message(QueueUrl=self._url, MessageBody=json.dumps(message))
        except ClientError as error:
            raise StoreUnavailable("send_message", error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            raise StoreUnavailable("send_message", type(error).__name__) from None
