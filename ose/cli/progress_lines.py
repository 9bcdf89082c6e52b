"""Progress for people: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from ose.core import progress as protocol
from ose.core.shown import NAME, shown, shown_block

_LINE_EVERY_S = 5.0


def terminal_progress() -> protocol.Progress:
    """Whatever suits where standard error goes."""
    if not sys.stderr.isatty():
        return LineProgress()
    from ose.cli.bars import BarProgress

    return BarProgress()


class LineProgress:
    """A line every few seconds and at the end of each stage."""

    def __init__(self) -> None:
        self._title, self._total, self._done = "", 0, 0
        self._started = self._printed = time.monotonic()

    def stage(self, title: str, total: int) -> None:
        """Begin a stage."""
        self._title, self._total, self._done = shown(title, NAME), total, 0
        self._started = self._printed = time.monotonic()
        self.say(f"{self._title} ...")

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
        self.say(f"{self._title}: {self._done}/{self._total}, {timing}" + (f" ({shown(note, NAME)})" if note else ""))

    def say(self, message: str) -> None:
        """Print a line."""
        print(shown_block(message), file=sys.stderr, flush=True)
