"""Decodes foreign pictures in a process of their own, with limits on its time and memory.

What can be counted is counted before (`platform.picture_bounds`). For what cannot, and for what no
one has thought of, the limits hold: a decoder that exceeds them is killed, its picture refused, and
the function goes on. The process has no credentials, no network client and no file to write to.

It is an interpreter of its own and not a fork: providers are asked on several threads, and a fork
of a process with threads may inherit a lock that no one will release.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

# 25 megapixels with a color profile take 3 s on one vCPU; see `docs/security/pictures.md`.
CPU_SECONDS: Final = 12
# The same picture in all its copies, with the interpreter and the libraries.
MEMORY_BYTES: Final = 768 * 1024 * 1024
# For a decoder that does not work but waits. `brand_intake` has 30 seconds.
WALL_SECONDS: Final = 27.0
DECODER: Final = "imagelayer.render.decoder"
# One at a time: the pictures of one job arrive together, and together they would be too large for
# the function's memory.
_TURN: Final = Lock()


class Exceeded(Exception):
    """The process was stopped by a limit, or ended without an answer."""


@dataclass(frozen=True)
class Decoded:
    """What the process made: what it says about the result, and its bytes."""

    about: dict[str, Any]
    data: bytes


def run(operation: str, picture: bytes, *arguments: int, module: str = DECODER) -> Decoded:
    """Run one operation of the decoder on a picture. Raises Exceeded."""
    limits = (str(CPU_SECONDS), str(MEMORY_BYTES))
    command = [sys.executable, "-S", "-B", "-m", module, *limits, operation, *map(str, arguments)]
    with (
        _TURN,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        ) as decoder,
    ):
        try:
            answer, _ = decoder.communicate(picture, timeout=WALL_SECONDS)
        except subprocess.TimeoutExpired:
            decoder.kill()
            raise Exceeded from None
    if decoder.returncode != 0:
        raise Exceeded
    head, _, data = answer.partition(b"\n")
    try:
        return Decoded(json.loads(head), data)
    except ValueError:
        raise Exceeded from None


def _environment() -> dict[str, str]:
    """What an interpreter needs to find its modules and libraries, and nothing that is secret."""
    paths = os.pathsep.join(str(Path(each).absolute()) for each in sys.path)
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PYTHONPATH": paths, **kept}
