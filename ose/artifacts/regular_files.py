"""Read files that are files: no pipe, device or socket, and none outside the folder that was allowed.

What others can write may be anything that has a name. A pipe keeps its reader waiting for ever, a device has no end
or does something when it is opened, and a link leads wherever its writer wanted.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path, root: Path | None = None) -> BinaryIO:
    """Open a file to be read, unless it is none; anything else is not even opened.

    Args:
        path: The file; links are followed.
        root: Folder that it must be in, links followed; None allows any.

    Raises:
        OSError: It is not there, no regular file, or not in `root`.
    """
    before = require_regular(path, root)
    # Should a pipe take its place at this moment, opening it does not wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    after = os.fstat(descriptor)
    if os.path.samestat(before, after) and stat.S_ISREG(after.st_mode):  # numbers of removed files are given again
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.ESTALE, "it was replaced while it was opened", str(path))


def require_regular(path: Path, root: Path | None = None) -> os.stat_result:
    """Refuse what is no regular file, or not in `root`, without opening it. See `open_regular`.

    Nothing tells whether there is something at a place outside.
    """
    real = os.path.realpath(path)
    if root is not None and not Path(real).is_relative_to(os.path.realpath(root)):
        raise OSError(errno.EACCES, "it leads out of the folder that it must be in", str(path))
    found = os.stat(real)
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is no file but {kind}", str(path))
    return found
