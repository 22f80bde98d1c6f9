"""Ways to the local cloud on which an answer is lost, or every request is seen."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_CHUNK = 65_536


class Way(socketserver.ThreadingTCPServer):
    """Carries connections to the local cloud, from a port of its own."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, base_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        place = urlsplit(base_url)
        self.upstream = (str(place.hostname), int(place.port or 80))
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}"

    def sees(self, sent: bytes) -> None:
        """What a client sends, as it comes."""

    def loses(self) -> bool:
        """Whether an answer that has come is lost, with its connection."""
        return False

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Carry while the block lasts."""
        with self:
            threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
            yield
            self.shutdown()


class Lossy(Way):
    """Breaks the first connection once its answer has come: all was done and no one heard of it."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        self.lost = 0
        self._deciding = threading.Lock()

    def loses(self) -> bool:
        """The first answer alone."""
        with self._deciding:
            if self.lost:
                return False
            self.lost = 1
            return True

    @classmethod
    @contextlib.contextmanager
    def for_each(cls, base_url: str, names: Iterable[str]) -> Iterator[dict[str, Lossy]]:
        """One for each name, while the block lasts."""
        with contextlib.ExitStack() as stack:
            ways = {name: cls(base_url) for name in names}
            for way in ways.values():
                stack.enter_context(way.open())
            yield ways


@dataclass(frozen=True)
class Seen:
    """One request that went by."""

    method: str
    path: str
    headers: Mapping[str, str]


class Watched(Way):
    """Keeps what requests look like. Clients send each head in one piece."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        self.requests: list[Seen] = []

    def sees(self, sent: bytes) -> None:
        """Read the head of a request; what is none belongs to a body."""
        head = sent.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, _, rest = head[0].partition(" ")
        if method not in {"GET", "POST"} or not rest.endswith("HTTP/1.1"):
            return
        fields = (line.partition(": ") for line in head[1:])
        headers = {name.lower(): value for name, _, value in fields}
        self.requests.append(Seen(method, rest.partition(" ")[0], headers))


class _Connection(socketserver.BaseRequestHandler):
    server: Way

    def handle(self) -> None:
        with socket.create_connection(self.server.upstream) as upstream:
            onward = threading.Thread(target=self._send, args=(upstream,), daemon=True)
            onward.start()
            while answer := _received(upstream):
                if self.server.loses():
                    break
                self.request.sendall(answer)
            for end in (upstream, self.request):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            onward.join()

    def _send(self, upstream: socket.socket) -> None:
        """Pass on what the client sends until either end is gone."""
        with contextlib.suppress(OSError):
            while data := _received(self.request):
                self.server.sees(data)
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)


def _received(end: Any) -> bytes:
    try:
        return bytes(end.recv(_CHUNK))
    except OSError:
        return b""
