"""Processes that take long over one import, so that they can be struck in the middle of it."""

from __future__ import annotations

from pathlib import Path

_PROGRAM = """
import os, pathlib, sys, time

class Slow:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            pathlib.Path({folder!r}, f"begun-{{os.getpid()}}").touch()
            deadline = time.monotonic() + {seconds}
            while time.monotonic() < deadline:
                time.sleep(0.02)

sys.meta_path.insert(0, Slow())
"""


class SlowImport:
    """A folder for the beginning of PYTHONPATH: processes that find it there take seconds to import a module.

    Args:
        folder: Where to put it.
        module: The module, whatever imports it.
        seconds: How long it takes.
    """

    def __init__(self, folder: Path, module: str, seconds: float = 4.0) -> None:
        self.folder = folder
        folder.mkdir()
        text = _PROGRAM.format(module=module, folder=str(folder), seconds=seconds)
        (folder / "sitecustomize.py").write_text(text)

    def has_begun(self, pid: int) -> bool:
        """Whether a process is in the import, or was."""
        return (self.folder / f"begun-{pid}").exists()
