"""Work in small parts, each with a result on disk, that any number of processes share and that outlives each of them.

A process does the first unit that is ready and that no other has in hand, again and again. A unit that is in hand is
locked by the operating system, which lets go of it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ose.artifacts.files import write_json

_POLL_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A part of the work.

    Attributes:
        name: Also where its result lies: `clinc150/teacher`.
        kind: What plans count it under.
        make: Does it; what it returns is stored as JSON.
        needs: Names of the units whose results it reads.
        core_s: What it takes of one core, told before anything is done.
    """

    name: str
    kind: str
    make: Callable[[], Any]
    needs: tuple[str, ...] = ()
    core_s: float = 0.0


class Results:
    """What units have found, a file each.

    Args:
        folder: Of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, name: str) -> bool:
        return self._file(name).exists()

    def __getitem__(self, name: str) -> Any:
        return json.loads(self._file(name).read_text(encoding="utf8"))

    def get(self, name: str) -> Any:
        """The same; None where it is not done."""
        return self[name] if self._file(name).exists() else None

    def is_ready(self, unit: Unit) -> bool:
        """Whether it can be done, and is not."""
        return unit.name not in self and all(name in self for name in unit.needs)

    def attempt(self, unit: Unit) -> bool:
        """Do a unit, unless another process has it in hand or has done it; returns whether it was done here."""
        with self._in_hand(unit.name) as is_ours:
            if not is_ours or unit.name in self:
                return False
            started = time.time()
            found = unit.make()
            write_json(self._file(unit.name), found)
            print(f"{time.strftime('%F %T')} {unit.name}: {time.time() - started:,.0f} s", flush=True)
        return True

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    @contextmanager
    def _in_hand(self, name: str) -> Iterator[bool]:
        file = self._folder / f"{name}.lock"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def do_all(units: Sequence[Unit], results: Results) -> list[str]:
    """Do all units in their order, as far as what they need is there; wait for those that other processes do.

    Returns:
        Names of those that failed here. What needs them is left.
    """
    failed: list[str] = []
    while ready := [unit for unit in units if unit.name not in failed and results.is_ready(unit)]:
        for unit in ready:
            try:
                if results.attempt(unit):
                    break
            except Exception:
                traceback.print_exc()
                failed.append(unit.name)
                break
        else:
            time.sleep(_POLL_S)
    return failed
