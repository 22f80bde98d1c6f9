"""What every vendor's adapter shares: one HTTP exchange within a deadline, and when to repeat it.

A vendor bills for what it worked on, and none of them takes an idempotency key for pictures. So a
request is sent again only where the vendor has said that it did nothing, or was never reached.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Self

import urllib3

from imagelayer.image_models.image_model import GenerationRefused, ImageRequest

RETRIES = 2
# Room for 32 MB of picture in base64, and what is said beside it.
MAX_ANSWER_BYTES = 44 * 1024 * 1024
CONNECT_SECONDS = 5.0
_CHUNK = 256 * 1024
_FIRST_PAUSE_SECONDS = 1.0
# A picture takes longer than this, so there is no use in asking with less time left.
_LEAST_SECONDS = 5.0

Watch = Callable[[Mapping[str, Any]], None]


class NothingDone(Exception):
    """The vendor did not work on the request, which may be sent again.

    `code` is the failure if it is not; `retry_after` seconds are what the vendor asked to wait.
    """

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


@dataclass(frozen=True)
class Answer:
    """A vendor's answer, whole. Header names are in small letters."""

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


@dataclass(frozen=True)
class Attempts:
    """When a request is sent again. `clock` is in seconds since the epoch, as an order's deadline;
    `random` is in [0, 1). `watch` receives each failure, without a word of the vendor's or the
    caller's."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    watch: Watch = lambda _: None

    def make[T](self, request: ImageRequest, ask: Callable[[float], T]) -> T:
        """What `ask` returns, which is given the seconds left. Raises GenerationRefused."""
        try:
            return self._make(request, ask)
        except GenerationRefused as refusal:
            model = request.model
            self.watch({"code": refusal.code, "model": model.id, "provider": model.provider})
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
) -> Answer:
    """One request and its whole answer. Raises NothingDone and GenerationRefused.

    No redirect is followed: it would carry key and prompt to another place. The answer is taken
    uncompressed, and no more of it than a picture can need.
    """
    sent = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        # One call takes seconds, so a kept connection saves little, and one that died in between
        # looks the same as a vendor that died over our request.
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
            return Answer(answer.status, found, read(answer, limit))
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
    """Cuts an answer off when its seconds are over. A socket's own timeout starts anew with every
    byte, so a vendor that sends one now and then would never meet it."""

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
    """Seconds that a vendor asks to wait: OpenAI's milliseconds, or RFC 9110 §10.2.3."""
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after"]))
    with suppress(KeyError, ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - now)
    return None
