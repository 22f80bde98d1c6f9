"""One request to a receiver: where it goes, what it trusts, how long it waits, what is reported."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

from imagelayer.webhooks.sender import (
    ADDRESSES_TRIED,
    KINDS,
    USER_AGENT,
    Undeliverable,
    WebhookHttp,
)
from tests.support.webhook_targets import ADDRESSES

PUBLIC = "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}
AUTHORITY = trustme.CA()

pytestmark = pytest.mark.usefixtures("socket_enabled")


@dataclass
class Receiver:
    """A server on this machine that answers each connection as set."""

    answer: Callable[[Any], None]
    context: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # that TLS asked for
    port: int = 0

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    self._serve_one(connection)
                except OSError:
                    continue

    def _serve_one(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        if self.context is None:
            self._exchange(connection)
            return
        with self.context.wrap_socket(connection, server_side=True) as secured:
            self._exchange(secured)

    def _exchange(self, connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"{}"):
            more = connection.recv(65536)
            if not more:
                return
            request += more
        self.requests.append(request)
        self.answer(connection)


@contextmanager
def serving(
    answer: bytes | Callable[[Any], None] = OK, certificate: str | None = None
) -> Iterator[Receiver]:
    """A receiver, with a certificate for a name if it speaks TLS."""

    def send(connection: Any) -> None:
        connection.sendall(answer)

    receiver = Receiver(answer if callable(answer) else send)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert(certificate).configure_cert(context)
        context.sni_callback = lambda _socket, name, _context: receiver.names.append(name)
        receiver.context = context
    with socket.create_server(("127.0.0.1", 0)) as listening:
        receiver.port = listening.getsockname()[1]
        thread = threading.Thread(target=receiver.serve, args=(listening,), daemon=True)
        thread.start()
        yield receiver
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def client(*addresses: str, **changes: Any) -> WebhookHttp:
    """One whose resolver knows these addresses and that may reach this machine."""
    found = list(addresses) or ["127.0.0.1"]
    settings: dict[str, Any] = {
        "loopback": True,
        "resolve": lambda _host, _port: found,
        "context": trusting,
    }
    return WebhookHttp(**settings | changes)


def kind_of(sender: WebhookHttp, url: str) -> str:
    with pytest.raises(Undeliverable) as caught:
        sender.post(url, b"{}", HEADERS)
    assert caught.value.kind in KINDS
    return caught.value.kind


@dataclass
class Connections:
    """What was connected to; nothing ever is."""

    to: list[tuple[str, int]] = field(default_factory=list)

    def refuse(self, address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        self.to.append(address)
        raise ConnectionRefusedError


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    seen = Connections()
    monkeypatch.setattr(socket, "create_connection", seen.refuse)
    return seen


@pytest.mark.parametrize(("kind", "address"), ADDRESSES)
def test_a_name_that_leads_to_a_private_address_is_not_connected_to(
    connections: Connections, kind: str, address: str
) -> None:
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        sender = client(*addresses, loopback=False)
        assert kind_of(sender, "https://hooks.example.com/") == "address_refused"
    assert connections.to == []


def test_the_connection_goes_to_the_address_that_was_checked_whatever_the_name_says_then(
    connections: Connections,
) -> None:
    """A name whose second look-up leads elsewhere (DNS rebinding): there is no second look-up."""
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    sender = client(loopback=False, resolve=rebinding)
    assert kind_of(sender, "https://hooks.example.com/x") == "connection_failed"
    assert asked == ["hooks.example.com"]
    assert connections.to == [(PUBLIC, 443)]
    # The next attempt looks again, and is not fooled.
    assert kind_of(sender, "https://hooks.example.com/x") == "address_refused"
    assert connections.to == [(PUBLIC, 443)]


def test_a_url_is_checked_again_when_it_is_used(connections: Connections) -> None:
    """However it came into the table."""
    for url in ("http://hooks.example.com/", "https://127.0.0.1/", "https://u@hooks.example.com/"):
        assert kind_of(client(PUBLIC, loopback=False), url) == "url_refused"
    assert connections.to == []


def test_another_address_is_tried_where_nothing_can_have_been_received(
    connections: Connections,
) -> None:
    sender = client("2606:2800:220:1::1", PUBLIC, "93.184.215.15", loopback=False)
    assert kind_of(sender, "https://hooks.example.com/") == "connection_failed"
    assert [address for address, _ in connections.to] == [PUBLIC, "93.184.215.15"]
    assert len(connections.to) == ADDRESSES_TRIED


@pytest.mark.parametrize("fault", [socket.gaierror("no"), UnicodeError("no"), None])
def test_a_name_that_leads_nowhere_is_reported(fault: Exception | None) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        if fault is not None:
            raise fault
        return []

    assert kind_of(client(resolve=resolve), "https://hooks.example.com/") == "dns_failed"


def test_a_look_up_that_takes_too_long_is_given_up() -> None:
    done, resolved = threading.Event(), []

    def resolve(host: str, port: int) -> Sequence[str]:
        done.wait(60)
        resolved.append(host)
        return [PUBLIC]

    sender = client(resolve=resolve, timeout=0.05)
    assert kind_of(sender, "https://hooks.example.com/") == "timeout"
    assert resolved == []
    done.set()


def test_the_body_arrives_byte_for_byte_with_the_headers_and_the_hosts_name() -> None:
    with serving() as receiver:
        url = f"http://localhost:{receiver.port}/hooks?token=a%20b"
        receipt = client().post(url, b"{}", HEADERS)
    assert (receipt.status, receipt.retry_after) == (200, None)
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hooks?token=a%20b HTTP/1.1"
    sent = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert sent["host"] == f"localhost:{receiver.port}"
    assert (sent["webhook-id"], sent["content-type"]) == ("msg_1", "application/json")
    assert (sent["user-agent"], sent["content-length"]) == (USER_AGENT, "2")
    assert body == b"{}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    with serving() as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere.port}/\r\n".encode()
        answer = b"HTTP/1.1 %d Moved\r\n%sContent-Length: 0\r\n\r\n" % (status, location)
        with serving(answer) as receiver:
            receipt = client().post(f"http://127.0.0.1:{receiver.port}/", b"{}", HEADERS)
    assert receipt.status == status
    assert elsewhere.requests == []
    assert len(receiver.requests) == 1


def test_an_answer_is_read_without_its_body_and_says_when_to_come_again() -> None:
    """Of a body that never ends not a byte is needed."""
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Encoding: gzip\r\n\r\n" + bytes(
        9000
    )
    with serving(answer) as receiver:
        receipt = client().post(f"http://127.0.0.1:{receiver.port}/", b"{}", HEADERS)
    assert (receipt.status, receipt.retry_after) == (503, "120")


@pytest.mark.promise("tls-only")
def test_tls_speaks_of_the_name_although_the_connection_goes_to_an_address() -> None:
    with serving(certificate="hooks.example.com") as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        assert client().post(url, b"{}", HEADERS).status == 200
    assert receiver.names == ["hooks.example.com"]
    assert f"Host: hooks.example.com:{receiver.port}".encode() in receiver.requests[0]


@pytest.mark.promise("tls-only")
def test_a_certificate_for_another_name_is_refused_before_anything_is_sent() -> None:
    with serving(certificate="other.example.com") as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        assert kind_of(client(), url) == "tls_failed"
    # One for the address instead of the name.
    with serving(certificate="127.0.0.1") as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        assert kind_of(client(), url) == "tls_failed"
    assert receiver.requests == []


@pytest.mark.promise("tls-only")
def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    with serving(certificate="hooks.example.com") as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        sender = client(context=ssl.create_default_context)
        assert kind_of(sender, url) == "tls_failed"
    assert receiver.requests == []


def test_a_receiver_that_speaks_no_tls_is_distinguished() -> None:
    def hang_up(connection: Any) -> None:
        connection.close()

    with serving(hang_up) as receiver, socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]

        def greet() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.sendall(b"220 smtp.example.com\r\n")
                connection.recv(1024)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        assert kind_of(client(), f"https://hooks.example.com:{port}/") == "tls_failed"
        thread.join(5)
        assert kind_of(client(), f"http://127.0.0.1:{receiver.port}/") == "invalid_response"


def drip(connection: Any) -> None:
    """A byte now and then, each of them in time by itself, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Drip: 1\r\n"[:1])
        time.sleep(0.05)


def silence(connection: Any) -> None:
    """Nothing, until the sender goes away."""
    connection.settimeout(30)
    with contextlib.suppress(OSError):
        while connection.recv(1024):
            pass


@pytest.mark.parametrize("answer", [drip, silence])
@pytest.mark.parametrize("certificate", [None, "hooks.example.com"])
def test_a_receiver_is_cut_off_at_its_deadline_however_it_spends_the_time(
    answer: Callable[[Any], None], certificate: str | None
) -> None:
    with serving(answer, certificate) as receiver:
        scheme = "https://hooks.example.com" if certificate else "http://127.0.0.1"
        began = time.monotonic()
        assert kind_of(client(timeout=0.4), f"{scheme}:{receiver.port}/") == "timeout"
        assert time.monotonic() - began < 15  # no response here ends before 30 seconds


def test_without_the_deadlines_own_watch_a_drip_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: timeouts of single reads do not see it."""

    def slower(connection: Any) -> None:
        for _ in range(40):
            connection.sendall(b"H")
            time.sleep(0.05)

    monkeypatch.setattr(threading.Timer, "start", lambda _: None)
    with serving(slower) as receiver:
        began = time.monotonic()
        kind_of(client(timeout=1), f"http://127.0.0.1:{receiver.port}/?token=hush")
        assert time.monotonic() - began > 1.5


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 99_999],
)
def test_what_is_not_http_is_an_invalid_response_and_no_log_holds_the_url(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(answer) as receiver:
        kind = kind_of(client(), f"http://127.0.0.1:{receiver.port}/?token=hush")
    assert kind in ("invalid_response", "connection_lost")
    assert caplog.text == ""


def test_a_receiver_that_is_not_there_refuses_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert kind_of(client(), f"http://127.0.0.1:{port}/") == "connection_failed"
