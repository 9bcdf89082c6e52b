"""Clocks that jump, by a library that is loaded into a process before all others."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

DAY_S = 86_400
_SOURCE = Path(__file__).with_name("clock.c")


class JumpingClock:
    """The wall clock of the processes that were started with its environment. What counts seconds is left alone.

    Args:
        folder: For the library and the shift.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._shift, library = folder / "shift", folder / "clock.so"
        self.jump_to(0)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(self._shift)}

    def jump_to(self, seconds: int) -> None:
        """Let it be so far from the truth from now on."""
        with self._shift.open("r+b" if self._shift.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))  # in place: the processes have the file mapped


def why_no_jumping_clock() -> str | None:
    """Why there can be none here; None if there can."""
    return None if shutil.which("cc") else "there is no C compiler to make a clock that jumps"
