"""Lines that say what happens and how long it took; on a terminal a bar, and pictures as well."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich_pixels import Pixels

_COLUMNS = 72  # of a picture; each character shows two pixels, one above the other


class Progress:
    """One line per step. A terminal also sees the step while it runs, and how far it is."""

    def __init__(self, out: TextIO = sys.stdout, *, width: int = 38) -> None:
        self._console = Console(file=out, highlight=False, soft_wrap=True)
        self._width = width
        self._bars: Bars | None = None

    @contextmanager
    def counting(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar below the lines while `total` things are done; call what is yielded with how many
        are. Nothing is drawn where no one looks."""
        if not self._console.is_terminal:
            yield lambda _done: None
            return
        outer = self._bars
        bars = outer or self._new_bars()
        task = bars.add_task(title, total=total)
        self._bars = bars
        if outer is None:
            bars.start()
        try:
            yield lambda done: bars.update(task, completed=done)
        finally:
            bars.remove_task(task)
            self._bars = outer
            if outer is None:
                bars.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """Time one step. What is appended to the yielded list is shown behind the time."""
        notes: list[str] = []
        started = time.perf_counter()
        running = self._bars.add_task(title, total=None) if self._bars else None
        mark = "✗"
        try:
            yield notes
            mark = "✓"
        finally:
            if self._bars and running is not None:
                self._bars.remove_task(running)
            seconds = time.perf_counter() - started
            line = f"  {mark} {title:<{self._width}}{seconds:7.2f} s  {' '.join(notes)}"
            self.say(line.rstrip())

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False)

    def show(self, picture: Image.Image) -> None:
        """Draw a picture in the terminal's own characters; nothing where no one looks."""
        if not self._console.is_terminal:
            return
        columns = min(_COLUMNS, self._console.width - 4)
        rows = round(columns * picture.height / picture.width / 2) * 2
        self._console.print(Pixels.from_image(picture.convert("RGB"), resize=(columns, rows)))

    def _new_bars(self) -> Bars:
        return Bars(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
