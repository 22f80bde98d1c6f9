"""Stands in for the decoder: what a hostile picture might have a decoder do."""

from __future__ import annotations

import os
import sys

from imagelayer.render.decoder import Result, serve


def spin(_: bytes) -> Result:
    """Work for ever."""
    while True:
        pass


def swell(_: bytes) -> Result:
    """Take memory for ever."""
    taken: list[bytes] = []
    while True:
        taken.append(bytes(16_000_000))


def die(_: bytes) -> Result:
    """Crash as native code does."""
    os.abort()


def chat(_: bytes) -> Result:
    """Answer with what is not an answer."""
    sys.stdout.buffer.write(b"hello")
    sys.stdout.flush()
    os._exit(0)


def look(_: bytes) -> Result:
    """Report the environment."""
    return {"environment": dict(os.environ)}, b""


if __name__ == "__main__":
    named = {each.__name__: each for each in (spin, swell, die, chat, look)}
    serve(sys.argv[1:], named)
