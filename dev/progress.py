"""Short lines that say what happens and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """One line per step; a terminal also sees the step while it runs."""

    def __init__(self, out: TextIO = sys.stdout, *, width: int = 38) -> None:
        self._out = out
        self._width = width
        self._tty = out.isatty()

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """Time one step. What is appended to the yielded list is shown behind the time."""
        notes: list[str] = []
        if self._tty:
            self._write(f"  · {title} …")
        started = time.perf_counter()
        try:
            yield notes
        except BaseException:
            self._line("✗", title, started, notes)
            raise
        self._line("✓", title, started, notes)

    def say(self, text: str) -> None:
        """Print one line."""
        self._write(f"{text}\n")

    def _line(self, mark: str, title: str, started: float, notes: list[str]) -> None:
        seconds = time.perf_counter() - started
        clear = "\r\033[2K" if self._tty else ""
        line = f"{clear}  {mark} {title:<{self._width}}{seconds:7.2f} s  {' '.join(notes)}"
        self._write(f"{line.rstrip()}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
