"""Child processes that never outlive the one that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandFailedError(RuntimeError):
    """A tool ended with an error; the message carries the end of what it said."""


def free_port() -> int:
    """A port on the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_tools: set[subprocess.Popen[bytes]] = set()


def run(command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path) -> None:
    """Run a tool to its end with its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        tool = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    _tools.add(tool)
    try:
        code = tool.wait()
    finally:
        _tools.discard(tool)
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise CommandFailedError(f"{Path(command[0]).name} exited {code}:\n{tail}")


def stop_tools() -> None:
    """End the tools that still run; their callers see them fail."""
    for tool in tuple(_tools):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tool.pid, signal.SIGTERM)


class Child:
    """A long-running child in a process group of its own."""

    def __init__(self, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def wait_for_port(self, port: int, *, seconds: float = 30) -> None:
        """Return once something listens on `port`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        raise CommandFailedError(f"nothing answers on port {port}:\n{tail}")

    def stop(self, *, seconds: float = 10) -> None:
        """Ask the process to end, then end what is left of its group."""
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
