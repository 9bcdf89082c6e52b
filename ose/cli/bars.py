"""Progress on a terminal: a live bar with the time left."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from ose.core.shown import NAME, shown, shown_block


class BarProgress:
    """One live bar for the current stage; finished stages stay above it."""

    def __init__(self) -> None:
        self._bars = Progress(
            _column("{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _column("left"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            _column("{task.fields[note]}", Column(ratio=1, no_wrap=True, overflow="ellipsis"), style="dim"),
            console=Console(stderr=True, markup=False, emoji=False),
            expand=True,
        )
        self._task: TaskID | None = None

    def stage(self, title: str, total: int) -> None:
        """Begin a bar."""
        self._finish()
        self._bars.start()
        self._task = self._bars.add_task(shown(title, NAME), total=total, note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Move the bar."""
        if self._task is None:
            return
        self._bars.update(self._task, advance=steps, note=shown(note, NAME))
        if self._bars.finished:
            self._finish()

    def say(self, message: str) -> None:
        """Print above the bar."""
        self._bars.console.print(Text(shown_block(message)))

    def _finish(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, note="")
            self._bars.stop()
            self._task = None
            self._bars = Progress(*self._bars.columns, console=self._bars.console, expand=True)


def _column(text: str, column: Column | None = None, style: str = "none") -> TextColumn:
    return TextColumn(text, style=style, markup=False, table_column=column or Column(no_wrap=True))
