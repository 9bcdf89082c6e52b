"""A teacher's folder as the libraries that load it may see it.

They look for files of many names, and follow what they read to others. So they are shown a private folder: the
teacher's small files as they were checked, and links to its weights, which are open already. What is loaded is then
what was checked, even if the teacher's own folder changes at the same moment.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from ose.artifacts.digests import digest_of_digests, digest_of_stream
from ose.artifacts.files import storage_errors
from ose.artifacts.scratch import ScratchFolder
from ose.errors import TeacherError
from ose.tasks.teacher_folder import WEIGHTS, TeacherFolder, read_small
from ose.tasks.teacher_settings import handed_on


@contextmanager
def sealed_teacher(path: Path, digest: str | None = None) -> Iterator[Path]:
    """Yield a folder with what a teacher is loaded from, for as long as it is loaded.

    Args:
        path: The teacher's own folder.
        digest: What the teacher must still be; None takes it as it is.

    Raises:
        TeacherError: It is another teacher now, or one that may not be loaded.
        StorageError: There is no room for temporary files.
    """
    folder = TeacherFolder(path)
    with ExitStack() as opened, _temporary_folder() as target:
        streams = {name: opened.enter_context(folder.open(name)) for name in folder.names()}
        found = digest_of_digests(
            (name, _sealed(stream, path / name, target, digest)) for name, stream in streams.items()
        )
        if digest not in (None, found):
            raise TeacherError(f"{path} is not the teacher that it was when the job was submitted; submit a new job")
        yield target


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with storage_errors(Path(tempfile.gettempdir())):
        scratch = ScratchFolder("teacher")
    with closing(scratch):
        files = scratch.path / "files"
        files.mkdir()
        yield files


def _sealed(stream: BinaryIO, source: Path, target: Path, wanted: str | None) -> str:
    """Put one file into `target`, and return its digest; that of weights only if it is wanted."""
    if source.suffix == Path(WEIGHTS).suffix:
        (target / source.name).symlink_to(_open_again(stream, source))
        return digest_of_stream(stream) if wanted else ""
    content = read_small(stream, source)
    shown = handed_on(source.name, content, source.parent)
    with storage_errors(target):
        (target / source.name).write_bytes(shown)
    return hashlib.sha256(content).hexdigest()


def _open_again(stream: BinaryIO, source: Path) -> str:
    """A path of the open file itself, whatever has its name now; where the system has none, that of its name."""
    path = f"/proc/self/fd/{stream.fileno()}"
    return path if os.path.exists(path) else os.path.realpath(source)
