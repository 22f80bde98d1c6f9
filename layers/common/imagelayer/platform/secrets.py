"""Secrets Manager: secrets read once and kept for a few minutes, and rotated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from imagelayer.platform.aws_calls import StoreUnavailable, call

KEEP_SECONDS = 300


class SecretStore:
    """JSON secrets by id; a rotated one is noticed within KEEP_SECONDS."""

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def read(self, secret_id: str, *, fresh: bool = False) -> dict[str, Any]:
        """The secret's members; `fresh` asks even if they are at hand. Raises StoreUnavailable."""
        kept = self._kept.get(secret_id)
        if not fresh and kept is not None and self._clock() - kept[0] < KEEP_SECONDS:
            return kept[1]
        secret: dict[str, Any] = json.loads(
            self._call("get_secret_value", SecretId=secret_id, VersionStage="AWSCURRENT")[
                "SecretString"
            ]
        )
        self._kept[secret_id] = (self._clock(), secret)
        return secret

    def add_pending(self, secret_id: str, version: str, content: str) -> None:
        """Store a version that is not current yet; one that is there already stays as it is."""
        try:
            self._call(
                "put_secret_value",
                SecretId=secret_id,
                ClientRequestToken=version,
                SecretString=content,
                VersionStages=["AWSPENDING"],
            )
        except StoreUnavailable as fault:
            # An earlier attempt of this rotation stored other content under this version.
            if fault.reason != "ResourceExistsException":
                raise

    def make_current(self, secret_id: str, version: str) -> None:
        """Move AWSCURRENT to a version; the one before becomes AWSPREVIOUS."""
        stages = self._call("describe_secret", SecretId=secret_id)["VersionIdsToStages"]
        current = next(each for each, labels in stages.items() if "AWSCURRENT" in labels)
        if current == version:
            return
        self._call(
            "update_secret_version_stage",
            SecretId=secret_id,
            VersionStage="AWSCURRENT",
            MoveToVersionId=version,
            RemoveFromVersionId=current,
        )
        self._kept.pop(secret_id, None)

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return call(self._client, operation, **request)
