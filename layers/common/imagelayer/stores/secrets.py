"""Secrets Manager, read once and kept for a few minutes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from imagelayer.stores.table import StoreUnavailable

KEEP_SECONDS = 300


class SecretStore:
    """JSON secrets by id; a rotated one is noticed within KEEP_SECONDS."""

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}

    def read(self, secret_id: str) -> dict[str, str]:
        """The secret's members. Raises StoreUnavailable."""
        kept = self._kept.get(secret_id)
        if kept is not None and self._clock() - kept[0] < KEEP_SECONDS:
            return kept[1]
        try:
            answer = self._client.get_secret_value(SecretId=secret_id)
        except ClientError as error:
            raise StoreUnavailable("get_secret_value", error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            raise StoreUnavailable("get_secret_value", type(error).__name__) from None
        secret: dict[str, str] = json.loads(answer["SecretString"])
        self._kept[secret_id] = (self._clock(), secret)
        return secret
