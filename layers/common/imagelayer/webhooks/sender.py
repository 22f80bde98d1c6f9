"""Sends one webhook to one receiver, and reports the outcome.

The name is resolved here, every address it resolves to is checked, and the connection goes to one
of those addresses, while TLS and the Host header still use the name. Redirects are not followed,
and the response's body is not read.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from imagelayer.platform.frozen import frozen
from imagelayer.webhooks.targets import Target, TargetRefused, may_reach, parse

# Standard Webhooks 1.0, "Timeouts": 15 to 30 seconds; from the first look-up to the status line.
TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
# Of a name's addresses; a second one for hosts whose first family does not work.
ADDRESSES_TRIED = 2
USER_AGENT = "ImageLayer-Webhooks/1"

KINDS = (
    "url_refused",
    "address_refused",
    "dns_failed",
    "connection_failed",
    "connection_lost",
    "tls_failed",
    "timeout",
    "invalid_response",
)

# `resolve(host, port)` gives addresses; raises OSError.
Resolve = Callable[[str, int], Sequence[str]]


class Undeliverable(Exception):
    """The receiver did not respond. `kind` is one of `KINDS`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@frozen
class Receipt:
    """A receiver's response."""

    status: int
    retry_after: str | None


def system_resolve(host: str, port: int) -> list[str]:
    """The system's own resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


@cache
def _default_context() -> ssl.SSLContext:
    return ssl.create_default_context()


@frozen
class WebhookHttp:
    """A client for public addresses only; with `loopback`, also for this machine."""

    loopback: bool = False
    resolve: Resolve = system_resolve
    context: Callable[[], ssl.SSLContext] = _default_context
    clock: Callable[[], float] = time.monotonic
    timeout: float = TIMEOUT_SECONDS

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Send one request and return its response of any status. Raises Undeliverable."""
        deadline = self.clock() + self.timeout
        try:
            target = parse(url, loopback=self.loopback)
        except TargetRefused:
            raise Undeliverable("url_refused") from None
        fault = Undeliverable("dns_failed")
        for address in self._addresses(target, deadline)[:ADDRESSES_TRIED]:
            try:
                return self._exchange(target, address, deadline, body, headers)
            except Undeliverable as failure:
                fault = failure
                # Send again only if the receiver cannot have received anything.
                if failure.kind != "connection_failed":
                    break
        raise fault

    def _addresses(self, target: Target, deadline: float) -> list[str]:
        """Every address of the host, IPv4 first, because many networks have nothing else.

        One forbidden address refuses them all: such a name is an attack or a mistake.
        """
        found = _within(
            deadline - self.clock(), lambda: list(self.resolve(target.host, target.port))
        )
        if not found:
            raise Undeliverable("dns_failed")
        if not all(may_reach(address, loopback=self.loopback) for address in found):
            raise Undeliverable("address_refused")
        return sorted(dict.fromkeys(found), key=lambda address: ":" in address)

    def _exchange(
        self,
        target: Target,
        address: str,
        deadline: float,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Receipt:
        sent = {**headers, "Host": target.authority, "User-Agent": USER_AGENT}
        connected = self._connect(target, address, deadline)
        with _named_errors(lambda: self.clock() >= deadline), self._cut_off(connected, deadline):
            with connected, self._secured(target, connected) as secured:
                connection = http.client.HTTPConnection(target.host, target.port)
                connection.sock = secured
                connection.request("POST", target.path, body=body, headers=sent)
                with contextlib.closing(connection.getresponse()) as answer:
                    receipt = Receipt(answer.status, answer.headers.get("Retry-After"))
            if self.clock() >= deadline:
                raise TimeoutError  # a truncated head looks like a complete one
            return receipt

    def _connect(self, target: Target, address: str, deadline: float) -> socket.socket:
        left = deadline - self.clock()
        try:
            connected = socket.create_connection(
                (address, target.port), max(0.001, min(CONNECT_SECONDS, left))
            )
        except OSError:
            raise Undeliverable("connection_failed") from None
        connected.settimeout(max(0.001, deadline - self.clock()))
        return connected

    def _secured(self, target: Target, connected: socket.socket) -> socket.socket:
        if not target.tls:
            return connected
        return self.context().wrap_socket(connected, server_hostname=target.host)

    @contextlib.contextmanager
    def _cut_off(self, connected: socket.socket, deadline: float) -> Iterator[None]:
        """Close the connection at the deadline: a receiver that sends a byte now and then never
        exceeds a read timeout."""
        # TLS takes over the descriptor; a duplicate of it can still shut the connection down.
        twin = connected.dup()

        def cut() -> None:
            with contextlib.suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)

        watch = threading.Timer(max(0, deadline - self.clock()), cut)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
            twin.close()


@contextlib.contextmanager
def _named_errors(is_late: Callable[[], bool]) -> Iterator[None]:
    """Turn errors into Undeliverable; past the deadline every error is a timeout."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as fault:
        raise Undeliverable("timeout" if is_late() else _kind(fault)) from None


def _kind(fault: Exception) -> str:
    match fault:
        case TimeoutError():
            return "timeout"
        case ssl.SSLError():
            return "tls_failed"
        case http.client.HTTPException() | ValueError():
            return "invalid_response"
    return "connection_lost"


def _within(seconds: float, work: Callable[[], list[str]]) -> list[str]:
    """What a look-up gives in time; the system's resolver takes no time limit.

    Raises Undeliverable.
    """
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["found"] = work()
        except (OSError, UnicodeError) as fault:
            outcome["fault"] = fault

    thread = threading.Thread(target=run, daemon=True, name="webhook-resolver")
    thread.start()
    thread.join(max(seconds, 0))
    if "found" not in outcome:
        raise Undeliverable("dns_failed" if "fault" in outcome else "timeout")
    found: list[str] = outcome["found"]
    return found
