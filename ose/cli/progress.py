"""Progress for people: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from ose.search import progress as protocol

_LINE_EVERY_S = 5.0


def terminal_progress() -> protocol.Progress:
    """Whatever suits where standard error goes."""
    return BarProgress() if sys.stderr.isatty() else LineProgress()


class BarProgress:
    """One live bar for the current stage; finished stages stay above it."""

    def __init__(self) -> None:
        self._bars = Progress(
            _column("{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _column("left"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("[dim]{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=Console(stderr=True),
            expand=True,
        )
        self._task = None

    def stage(self, title: str, total: int) -> None:
        """Begin a bar."""
        self._finish()
        self._bars.start()
        self._task = self._bars.add_task(title, total=total, note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Move the bar."""
        if self._task is None:
            return
        self._bars.update(self._task, advance=steps, note=note)
        if self._bars.finished:
            self._finish()

    def say(self, message: str) -> None:
        """Print above the bar."""
        self._bars.console.print(message)

    def _finish(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, note="")
            self._bars.stop()
            self._task = None
            self._bars = Progress(*self._bars.columns, console=self._bars.console, expand=True)


class LineProgress:
    """A line every few seconds and at the end of each stage."""

    def __init__(self) -> None:
        self._title, self._total, self._done = "", 0, 0
        self._started = self._printed = time.monotonic()

    def stage(self, title: str, total: int) -> None:
        """Begin a stage."""
        self._title, self._total, self._done = title, total, 0
        self._started = self._printed = time.monotonic()
        self.say(f"{title} ...")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Print, if the last line was some seconds ago or the stage ends."""
        self._done += steps
        now = time.monotonic()
        if self._done < self._total and now - self._printed < _LINE_EVERY_S:
            return
        self._printed = now
        elapsed_s = now - self._started
        left_s = elapsed_s / self._done * (self._total - self._done) if self._done else 0.0
        timing = f"{elapsed_s:.0f} s" if self._done >= self._total else f"about {left_s:.0f} s left"
        self.say(f"{self._title}: {self._done}/{self._total}, {timing}" + (f" ({note})" if note else ""))

    def say(self, message: str) -> None:
        """Print a line."""
        print(message, file=sys.stderr, flush=True)


def _column(text: str) -> TextColumn:
    return TextColumn(text, table_column=Column(no_wrap=True))
