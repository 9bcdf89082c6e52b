"""Folders and files that nobody can write, for the length of a block."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_read_only(folder: Path, at: Path | None = None) -> Iterator[None]:
    """Have the system refuse every write below `at`, root's too; skips where this user may not mount.

    Args:
        folder: What is seen there.
        at: Another folder; None takes the same.
    """
    place = str(at or folder)
    if os.geteuid() != 0 or _mount("--bind", str(folder), place):
        pytest.skip("only root, with the right to mount, can make a read-only file system")
    try:
        if _mount("-o", "remount,bind,ro", place):
            pytest.skip("this system does not let a mount be made read-only")
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def immutable(file: Path) -> Iterator[None]:
    """Have the system refuse every write to a file, root's too; skips where it knows no such files."""
    if subprocess.run(["chattr", "+i", str(file)], capture_output=True).returncode:
        pytest.skip("this file system, or this user, cannot make a file immutable")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(file)], check=True)


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode
