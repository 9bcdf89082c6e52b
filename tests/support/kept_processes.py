"""Processes that load for seconds, kept from test to test: those that make checkers, and those that measure latency.

They see the environment that they were started in, so there is one for each environment that a test makes;
and one that measures has loaded one runtime.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from subprocess import Popen

import pytest
from process_watch import WATCH

from ose.core.measurement import LatencyProtocol
from ose.errors import EvaluationError
from ose.jobs.checkers import Checker, Checkers
from ose.latency.probe import SubprocessLatencyProbe

_TOLD_OTHERWISE = frozenset({"OSE_HOME", "OSE_DATABASE_URL", "OSE_SERVER", "OSE_TOKEN"})
"""With each question, or not at all: these need no process of their own."""

Environment = frozenset[tuple[str, str]]

_checkers: dict[Environment, Checkers] = {}
_ready: set[Checkers] = set()
_starting = threading.Lock()
_measuring: dict[tuple[Environment, int, str], list[Popen[str]]] = {}


@contextmanager
def processes_kept() -> Iterator[None]:
    """Meanwhile every workspace and every inline backend of this process uses them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ose.workspace.Checkers", KeptCheckers)
        patch.setattr("ose.workers.inline.SubprocessLatencyProbe", KeptLatencyProbe)
        yield
    with ExitStack() as stack:
        for checkers in _checkers.values():
            stack.callback(checkers.close)
        for process in [each for kept in _measuring.values() for each in kept]:
            stack.enter_context(process)  # waits for it, once the end of its input has told it
    _checkers.clear()
    _ready.clear()
    _measuring.clear()


class KeptCheckers(Checkers):
    """Has checkers made where others had theirs made, and ends no more than its own."""

    def __init__(self) -> None:
        super().__init__()
        self._own: list[Checker] = []

    def start(self) -> None:
        """Have everything loaded, which is told once."""
        kept = self._kept()
        with _starting:
            if kept not in _ready:
                kept.start()
                _ready.add(kept)

    def new(self) -> Checker:
        """One more checker."""
        checker = self._kept().new()
        self._own.append(checker)
        return checker

    def close(self) -> None:
        """End its own."""
        for checker in self._own:
            checker.end()
        self._own.clear()

    def _kept(self) -> Checkers:
        WATCH.use()
        return _checkers.setdefault(_environment(), Checkers())


class KeptLatencyProbe(SubprocessLatencyProbe):
    """A probe whose process serves the next probe too, unless it died or was left in the middle of a request."""

    def __init__(self, protocol: LatencyProtocol, runtime: str | None = None) -> None:
        super().__init__(protocol, runtime)
        self._kept = _measuring.setdefault((_environment(), protocol.threads, self._runtime), [])
        self._has_answered = True

    def close(self) -> None:
        """Keep the process for others."""
        process = self._process
        if process is not None and self._has_answered and process.poll() is None:
            self._process = None
            self._kept.append(process)
        super().close()

    def _started(self) -> Popen[str]:
        WATCH.use()
        return self._kept.pop() if self._kept else super()._started()

    def _ask(self, request: object, check: Callable[[], None] = lambda: None) -> object:
        self._has_answered = False
        try:
            result = super()._ask(request, check)
        except EvaluationError:
            self._has_answered = True
            raise
        self._has_answered = True
        return result


def _environment() -> Environment:
    names = {name for name in os.environ if name.startswith(("OSE_", "HF_", "TRANSFORMERS_"))} - _TOLD_OTHERWISE
    return frozenset((name, os.environ[name]) for name in names)
