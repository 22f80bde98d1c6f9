"""The public keys that sign GitHub's secret scanning reports.

https://api.github.com/meta/public_keys/secret_scanning
"""

from __future__ import annotations

import json
from collections.abc import Callable

import urllib3

from imagelayer.access.leaked_keys import known_keys
from imagelayer.platform.table import StoreUnavailable

# pypi/warehouse keeps them for as long. A key that is not kept is requested from GitHub, but not
# more often than this allows, or strangers could make us send GitHub any number of requests.
KEEP_SECONDS = 1800
ASK_AGAIN_SECONDS = 60
PAUSE_SECONDS = 5  # after GitHub did not answer
TIMEOUT_SECONDS = 4.0
MAX_BYTES = 256 * 1024


class ScannerKeys:
    """Keys by identifier, kept for the life of a process."""

    def __init__(self, http: urllib3.PoolManager, url: str, clock: Callable[[], float]) -> None:
        self.http = http
        self.url = url
        self.clock = clock
        self.kept: dict[str, str] = {}
        self.asked_at: float | None = None
        self.failed_at: float | None = None

    def find(self, identifier: str) -> str | None:
        """The key's PEM, or None when there is no such key. Raises StoreUnavailable."""
        now = self.clock()
        age = None if self.asked_at is None else now - self.asked_at
        known = identifier in self.kept
        if age is None or age > KEEP_SECONDS or (not known and age > ASK_AGAIN_SECONDS):
            if self.failed_at is not None and now - self.failed_at < PAUSE_SECONDS:
                raise StoreUnavailable("public_keys", "did not answer a moment ago")
            self.failed_at = now
            self.kept = self._ask()
            self.asked_at, self.failed_at = now, None
        return self.kept.get(identifier)

    def _ask(self) -> dict[str, str]:
        try:
            answer = self.http.request(
                "GET",
                self.url,
                headers={"Accept": "application/json", "User-Agent": "imagelayer"},
                timeout=urllib3.Timeout(total=TIMEOUT_SECONDS),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                data = answer.read(MAX_BYTES)
            finally:
                answer.release_conn()
            if answer.status != 200:
                raise StoreUnavailable("public_keys", f"HTTP {answer.status}")
            return known_keys(json.loads(data))
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise StoreUnavailable("public_keys", type(error).__name__) from None
