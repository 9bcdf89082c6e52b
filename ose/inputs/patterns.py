"""Files inside one folder that a pattern matches, found without leaving the folder or looking without end."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of


class PatternWalk:
    """Matches patterns against a folder as a shell does; all of them together look at a bounded number of entries.

    A link that leads out of the folder is passed over as if it were not there, so it neither tells a name from outside
    nor spoils a pattern for those who did not make it.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._most = operator_limits().max_pattern_entries
        self._visited = 0

    def files(self, pattern: str) -> Iterator[Path]:
        """The real paths of the regular files that match, some of them twice.

        Args:
            pattern: Relative to the folder, with `**` for any number of folders.

        Raises:
            CorpusError: Too many entries had to be looked at.
        """
        return self._below(self._root, PurePosixPath(pattern).parts)

    def _below(self, folder: Path, parts: Sequence[str]) -> Iterator[Path]:
        part, rest = parts[0], parts[1:]
        if part == "**":
            for each in self._tree(folder):
                yield from self._below(each, rest or ("*",))
            return
        for path in self._named(folder, part):
            if rest and path.is_dir():
                yield from self._below(path, rest)
            elif not rest and _is_regular(path):
                yield path

    def _named(self, folder: Path, part: str) -> Iterator[Path]:
        """What in `folder` has a name like `part`, links inside the root followed."""
        if not glob.has_magic(part):
            self._count()
            yield from self._inside(folder / part)
            return
        for entry in self._entries(folder):
            if fnmatch.fnmatchcase(entry.name, part) and (part.startswith(".") or not entry.name.startswith(".")):
                yield from self._inside(folder / entry.name)

    def _tree(self, folder: Path) -> Iterator[Path]:
        """The folder and those below it, each once, but for hidden ones."""
        seen, waiting = {folder}, [folder]
        while waiting:
            current = waiting.pop()
            yield current
            for entry in self._entries(current):
                if not entry.name.startswith(".") and (entry.is_symlink() or entry.is_dir()):
                    new = [path for path in self._inside(current / entry.name) if path not in seen and path.is_dir()]
                    seen.update(new)
                    waiting.extend(new)

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        with suppress(OSError), os.scandir(folder) as entries:  # what cannot be listed has nothing that matches
            for entry in entries:
                self._count()
                yield entry

    def _inside(self, path: Path) -> Iterator[Path]:
        real = Path(os.path.realpath(path))
        if real.is_relative_to(self._root):
            yield real

    def _count(self) -> None:
        self._visited += 1
        if self._visited > self._most:
            raise CorpusError(
                f"the patterns of corpus look at more than {self._most:,} files and folders "
                f"({setting_of('max_pattern_entries')}); name fewer folders"
            )


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
