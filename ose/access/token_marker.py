"""A file in the home that remembers that there has been a token, whatever becomes of the database."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

from ose.artifacts.files import storage_errors
from ose.artifacts.private import private_folder

_NAME = "asks-for-tokens"
_TEXT = b"There has been a token, so no server of this folder opens without one. Remove this file to begin anew.\n"


class TokenMarker:
    """The marker of a home. That it is there is all it says: an empty one, cut by a full disk, counts.

    Args:
        home: Folder of the workspace.
    """

    def __init__(self, home: Path) -> None:
        self.path = home.absolute() / _NAME

    def is_there(self) -> bool:
        """Whether a token has been seen from here."""
        return os.path.lexists(self.path)

    def leave(self) -> None:
        """Write it, unless it is there.

        Raises:
            StorageError: It cannot be written.
        """
        if self.is_there():
            return
        private_folder(self.path.parent)
        with storage_errors(self.path):
            self._write()

    def can_be_left(self) -> bool:
        """Whether it could be written. Where it could not be, that it is missing means nothing."""
        nearest = next(folder for folder in self.path.parents if folder.exists())
        try:
            with TemporaryFile(dir=nearest):  # what may be written is known for certain once it is
                return True
        except OSError:
            return False

    def _write(self) -> None:
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        try:
            os.write(file, _TEXT)
            os.fsync(file)
        finally:
            os.close(file)
