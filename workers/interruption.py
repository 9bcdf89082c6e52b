"""Break a thread off where it can be: within a block that allows it, and never in the middle of an import."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

_POLL_S = 0.02
_AGAIN_S = 1.0
"""After how long it is raised again: what arrives in a callback of the collector or in a destructor is lost there."""


class Interruption:
    """Raises SystemExit in one thread, until it leaves.

    What a module has registered by the time it is broken off, in C++ as a rule, it cannot register again: every later
    import of it fails, in this process. So a module that has begun is let come to its end, and none begins while the
    thread is being broken off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """This thread may be broken off: before and after the block, nothing would catch what is raised in it."""
        gate = _ImportGate(self._lock)
        sys.meta_path.insert(0, gate)
        try:
            try:
                with self._lock:
                    self._thread = threading.current_thread()
                yield
            finally:
                with self._lock:
                    self._thread = None
        finally:  # of its own, since what is raised may arrive in the one above
            sys.meta_path.remove(gate)

    def break_off(self, thread: threading.Thread) -> None:
        """Break the thread off as soon as it can be; return when it has ended."""
        while thread.is_alive():
            thread.join(_AGAIN_S if self._try(thread) else _POLL_S)

    def _try(self, thread: threading.Thread) -> bool:
        with self._lock:
            if self._thread is not thread or thread.ident is None or _imports(thread.ident):
                return False
            raise_in(thread.ident, SystemExit)
            return True


class _ImportGate:
    """Has every module of every thread that begins to run take a lock first.

    Args:
        lock: Held while no module may begin.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """What the other finders find, behind the gate."""
        for finder in sys.meta_path:
            spec = None if isinstance(finder, _ImportGate) else finder.find_spec(name, path, target)
            if spec is not None:
                self._guard(spec.loader)
                return spec
        return None

    def _guard(self, loader: Any) -> None:
        if loader is None or isinstance(loader, type):  # built in, and in memory
            return
        run: Callable[[ModuleType], None] = loader.exec_module

        def run_behind_gate(module: ModuleType) -> None:
            with self._lock:
                pass
            run(module)

        loader.exec_module = run_behind_gate


def _imports(thread_id: int) -> bool:
    """Whether a thread is anywhere inside an import."""
    frame: FrameType | None = sys._current_frames().get(thread_id)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def raise_in(thread_id: int, exception: type[BaseException]) -> None:
    """Raise an exception in another thread, at its next step of Python; nothing happens if it has ended."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(exception))
