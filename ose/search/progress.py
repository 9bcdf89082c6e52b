"""How long-running work tells people where it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told about stages and steps. Calls are cheap and may come often."""

    def stage(self, title: str, total: int) -> None:
        """A new stage of `total` steps begins; the one before has ended."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Steps of the current stage are done; `note` says what is worth seeing of them."""

    def say(self, message: str) -> None:
        """A line that is no step."""


class Silence:
    """Tells nobody."""

    def stage(self, title: str, total: int) -> None:
        """Say nothing."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""
