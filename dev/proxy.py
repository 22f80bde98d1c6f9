"""The wire proxy between functions and the local cloud.

Requests pass unchanged, `Host` included, so that every signature and presigned URL still verifies.
On the way calls are recorded and, where asked for, made to fail.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    web,
)
from aiohttp.client import _RequestContextManager
from multidict import CIMultiDict
from psutil import Process, net_connections
from yarl import URL

from dev.wire import Call, FaultKind, Wire, failure, name_call

_HOP_BY_HOP: Final = frozenset(
    {"connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_HANG_SECONDS: Final = 120
_ATTEMPT: Final = re.compile(r"attempt=(\d+)")


def end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """A message's headers without those that belong to one connection."""
    kept = ((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)
    return CIMultiDict(kept)


def open_session() -> ClientSession:
    """A client that passes bytes on as they are: nothing followed, decoded or added."""
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=30),
        timeout=ClientTimeout(total=_HANG_SECONDS),
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


class WireProxy:
    """Forwards every request to `upstream` and keeps the wire's records."""

    def __init__(self, wire: Wire, session: ClientSession) -> None:
        self._wire = wire
        self._session = session
        self.upstream = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _, query = request.raw_path.partition("?")
        if "X-Amz-Signature=" in query and "Authorization" in request.headers:
            return _signed_twice()
        call = name_call(request.method, path, query, request.headers)
        fault = self._wire.fault_for(call) if call else None
        began = time.perf_counter()
        entry: dict[str, Any] = {
            "started_at": datetime.now(UTC).isoformat(),
            "ended_at": None,
            "duration_ms": None,
            "status": None,
            "attempt": _attempt(request),
            "fault": fault,
        }
        if call:
            self._wire.record(call, entry)
        try:
            response = await self._answer(request, call, fault)
            # What the caller never saw has no status.
            if fault not in {"timeout", "drop-after-write", "die"}:
                entry["status"] = response.status
            return response
        finally:
            entry["ended_at"] = datetime.now(UTC).isoformat()
            entry["duration_ms"] = round((time.perf_counter() - began) * 1000, 3)

    async def _answer(
        self, request: web.BaseRequest, call: Call | None, fault: FaultKind | None
    ) -> web.StreamResponse:
        await welcome(request)
        if fault == "timeout":
            await _hang(request)
            return web.Response(status=504)
        if call and fault in {"throttle", "500"}:
            status, headers, body = failure(call, fault)
            return web.Response(status=status, headers=headers, body=body)
        if fault == "drop-after-write":
            await self._swallow(request)
            return web.Response(status=504)
        if fault == "die":
            caller = _process_behind(request)
            await self._swallow(request, caller)
            return web.Response(status=504)
        return await self._forward(request)

    def _send(self, request: web.BaseRequest) -> _RequestContextManager:
        headers = end_to_end(request.headers)
        # Loopback stands for TLS: policies that refuse plain transport judge this header.
        headers["X-Forwarded-Proto"] = "https"
        return self._session.request(
            request.method,
            URL(f"{self.upstream}{request.raw_path}", encoded=True),
            headers=headers,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        )

    async def _forward(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            async with self._send(request) as upstream:
                return await relay(request, upstream)
        except ClientError as error:
            return web.Response(status=502, text=f"the local cloud does not answer: {error}")

    async def _swallow(self, request: web.BaseRequest, caller: Process | None = None) -> None:
        """Let the call happen and lose its answer, and with it the process that made it."""
        async with self._send(request) as upstream:
            await upstream.read()
        if caller is not None:
            caller.kill()
        if request.transport:
            request.transport.abort()


def _signed_twice() -> web.Response:
    """What S3 answers to a signed link with a credential beside it, which ministack lets pass."""
    text = (
        "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed; only the "
        "X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization "
        "header should be specified</Message></Error>"
    )
    return web.Response(status=400, text=text, content_type="application/xml")


async def welcome(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to go on and send its body."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def relay(
    request: web.BaseRequest, upstream: ClientResponse, extra: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Stream an upstream answer to the client."""
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
    response.headers.extend(end_to_end(upstream.headers))
    for name, value in (extra or {}).items():
        response.headers[name] = value
    await response.prepare(request)
    async for chunk in upstream.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def _process_behind(request: web.BaseRequest) -> Process | None:
    """The process at the other end of a connection."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if peer is None:
        return None
    here = request.transport.get_extra_info("sockname") if request.transport else None
    for connection in net_connections("tcp4"):
        # Its own end and ours differ in which address is local.
        if connection.laddr == peer and connection.raddr == here and connection.pid:
            return Process(connection.pid)
    return None


def _attempt(request: web.BaseRequest) -> int:
    match = _ATTEMPT.search(request.headers.get("amz-sdk-request", ""))
    return int(match[1]) if match else 1


async def _hang(request: web.BaseRequest) -> None:
    """Answer nothing until the caller gives up."""
    deadline = time.monotonic() + _HANG_SECONDS
    while time.monotonic() < deadline:
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(0.05)
