"""Real text that every machine with Python has: its documentation strings.

The standard library and the installed packages hold some tens of megabytes of
written English about code. The quickstart searches and distils on it, and the
teacher that ships with OSE was trained on it, so neither needs a network.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

MIN_CHARACTERS = 100
"""Shorter strings ("Return the name.") say too little to be worth a sequence."""

HELD_OUT_SHARE = 1 / 32
"""Share of modules held out. The split hashes module names, so a module that is
held out here is held out on every machine, whatever else is installed there."""

_SKIPPED_FOLDERS = {"test", "tests", "testing", "idlelib", "lib2to3", "site-packages"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def iter_docstrings(*, held_out: bool) -> Iterator[str]:
    """Yield the distinct documentation strings of one side of the split.

    Modules come in the order of their names' hashes: a fixed shuffle, so the
    first megabytes are a fair sample and a reader may stop early.

    Args:
        held_out: The held-out modules' strings, or all the others'.
    """
    seen: set[bytes] = set()
    for _, path in sorted(_modules(held_out), key=lambda module: module[0]):
        for text in docstrings_of(path):
            digest = hashlib.sha256(text.encode()).digest()
            if digest not in seen:
                seen.add(digest)
                yield text


def docstrings_of(path: Path) -> list[str]:
    """The documentation strings in one file; none if it is no valid Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's invalid escapes
            tree = ast.parse(path.read_text(encoding="utf8"))
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
        return []
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, _DOCUMENTED))
    texts = (inspect.cleandoc(text) for text in found if text)
    return [text for text in texts if len(text) >= MIN_CHARACTERS and "\0" not in text]


def _modules(held_out: bool) -> Iterator[tuple[bytes, Path]]:
    for root in _roots():
        for path in root.rglob("*.py"):
            relative = path.relative_to(root)
            if _SKIPPED_FOLDERS.isdisjoint(relative.parts):
                key = hashlib.sha256(relative.as_posix().encode()).digest()
                if (key[0] < 256 * HELD_OUT_SHARE) == held_out:
                    yield key[1:], path


def _roots() -> list[Path]:
    paths = sysconfig.get_paths()
    return [Path(root) for root in dict.fromkeys((paths["stdlib"], paths["purelib"], paths["platlib"]))]
