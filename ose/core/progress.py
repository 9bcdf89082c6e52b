"""How long-running work tells people where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Progress(Protocol):
    """Told about stages and steps. Calls are cheap and may come often."""

    def stage(self, title: str, total: int) -> None:
        """A new stage of `total` steps begins; the one before has ended."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Steps of the current stage are done; `note` says what is worth seeing of them."""

    def say(self, message: str) -> None:
        """A line that is no step."""


class Silence:
    """Tells nothing."""

    def stage(self, title: str, total: int) -> None:
        """Say nothing."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""


def step_reporter(progress: Progress, general_steps: int = 0) -> Callable[[int, Any], None]:
    """Turn step callbacks into progress; a resumed run jumps to where it goes on.

    Args:
        progress: Is told.
        general_steps: Of the stage before the task's, of which the notes tell the name.
    """
    done = 0

    def on_step(step: int, losses: Any) -> None:
        nonlocal done
        name = "general loss" if step <= general_steps else "loss"
        progress.advance(step - done, note=f"{name} {losses.total:.3f}")
        done = step

    return on_step
