"""What the providers' adapters share: one HTTP exchange within a deadline, and when to repeat it.

A provider bills for what it worked on, and none accepts an idempotency key for pictures. So a
request is sent again only where the provider said that it did nothing, or was never reached.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Self

import urllib3

from imagelayer.image_models.image_model import GenerationRefused, ImageRequest
from imagelayer.platform.frozen import frozen

RETRIES = 2
# Room for 32 MB of picture in base64 and the rest of the response.
MAX_ANSWER_BYTES = 44 * 1024 * 1024
CONNECT_SECONDS = 5.0
_CHUNK = 256 * 1024
_FIRST_PAUSE_SECONDS = 1.0
# A picture takes longer than this, so with less time left a retry is pointless.
_LEAST_SECONDS = 5.0

OnFailure = Callable[[Mapping[str, Any]], None]


class NothingDone(Exception):
    """The provider did not work on the request, so it may be sent again.

    `code` is the failure if it is not; `retry_after` is how long the provider asks to wait, in
    seconds.
    """

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


@frozen
class ProviderResponse:
    """A provider's whole response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body's members; empty for anything but a JSON object."""
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}


@frozen
class Attempts:
    """When a request is sent again. `clock` is in seconds since the epoch, as a request's deadline;
    `random` is in [0, 1). `on_failure` receives each failure, without any text of the provider or
    the caller."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    on_failure: OnFailure = lambda _: None

    def make[T](self, request: ImageRequest, ask: Callable[[float], T]) -> T:
        """What `ask`, called with the seconds left, returns. Raises GenerationRefused."""
        try:
            return self._make(request, ask)
        except GenerationRefused as refusal:
            model = request.model
            self.on_failure({"code": refusal.code, "model": model.id, "provider": model.provider})
            raise

    def _make[T](self, request: ImageRequest, ask: Callable[[float], T]) -> T:
        code = "provider_timeout"
        for attempt in range(RETRIES + 1):
            left = request.deadline - self.clock()
            if left <= 0:
                break
            try:
                return ask(left)
            except NothingDone as nothing:
                code = nothing.code
                pause = self._pause(attempt, nothing.retry_after)
            if attempt == RETRIES or self.clock() + pause + _LEAST_SECONDS > request.deadline:
                break
            self.sleep(pause)
        raise GenerationRefused(code)

    def _pause(self, attempt: int, retry_after: float | None) -> float:
        # Images of one job fail together; jitter keeps them from coming back together.
        jittered = _FIRST_PAUSE_SECONDS * (1 << attempt) * (0.5 + self.random() / 2)
        return max(retry_after or 0.0, jittered)


def exchange(
    http: urllib3.PoolManager,
    method: Literal["GET", "POST"],
    url: str,
    *,
    headers: Mapping[str, str],
    seconds: float,
    body: bytes | None = None,
) -> ProviderResponse:
    """One request and its whole response. Raises NothingDone and GenerationRefused.

    Redirects are not followed: they would carry key and prompt elsewhere. The response is accepted
    uncompressed, up to the size that a picture can need.
    """
    sent = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        # One call takes seconds, so keeping a connection saves little, and one that was closed in
        # between looks like a provider that failed on our request.
        "Connection": "close",
        "User-Agent": "imagelayer",
        **headers,
    }
    with Limit(seconds) as limit:
        try:
            answer = http.request(
                method,
                url,
                body=body,
                headers=sent,
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), total=seconds),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            found = {name.lower(): value for name, value in answer.headers.items()}
            return ProviderResponse(answer.status, found, read(answer, limit))
        except (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ConnectTimeoutError,
            urllib3.exceptions.NameResolutionError,
        ):
            raise NothingDone("provider_unavailable") from None
        except urllib3.exceptions.TimeoutError:
            raise GenerationRefused("provider_timeout") from None
        except (urllib3.exceptions.HTTPError, OSError):
            code = "provider_timeout" if limit.passed else "provider_unavailable"
            raise GenerationRefused(code) from None


class Limit:
    """Cuts a response off when its time is over. A socket's own timeout restarts with every byte,
    so a provider that sends one now and then would never reach it."""

    def __init__(self, seconds: float) -> None:
        self.answer: urllib3.BaseHTTPResponse | None = None
        self.passed = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self.answer:
            self.answer.close()

    def _cut(self) -> None:
        self.passed = True
        if self.answer:
            with suppress(OSError, ValueError, RuntimeError):
                self.answer.shutdown()


def read(answer: urllib3.BaseHTTPResponse, limit: Limit) -> bytes:
    """The whole body. Raises GenerationRefused and urllib3's errors."""
    limit.answer = answer
    parts: list[bytes] = []
    size = 0
    while not limit.passed and (part := answer.read1(_CHUNK)):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise GenerationRefused("provider_bad_image")
    if limit.passed:
        raise GenerationRefused("provider_timeout")
    return b"".join(parts)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a provider asks to wait: OpenAI's milliseconds, or RFC 9110 §10.2.3."""
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after"]))
    with suppress(KeyError, ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - now)
    return None
