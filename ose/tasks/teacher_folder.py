"""The files that make a teacher, in a folder that may be anybody's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ose.artifacts.bounded import read_at_most, require_few_values
from ose.artifacts.digests import digest_of_digests, digest_of_stream
from ose.artifacts.regular_files import open_regular
from ose.errors import TeacherError
from ose.tasks.teacher_settings import CONFIG, INDEX, SPECIAL_TOKENS, TOKENIZER_CONFIG, parse_object, shard_names

WEIGHTS = "model.safetensors"
TOKENIZERS = (
    ("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"), ("sentencepiece.bpe.model",),
    ("spiece.model",), ("spm.model",), ("tokenizer.model",), ("vocab.json", "bpe.codes"),
)  # fmt: skip
"""Files that make a tokenizer, one set each."""

_TOKENIZER_FILES = (
    {TOKENIZER_CONFIG, SPECIAL_TOKENS, "added_tokens.json"}
    | {"entity_vocab.json", "sentencepiece.model", "word_pronunciation.json", "word_shape.json"}
    | {name for files in TOKENIZERS for name in files}
)

SMALL_FILES = (CONFIG, INDEX, *sorted(_TOKENIZER_FILES))
"""All that is read of a teacher beside its weights."""


@dataclass(frozen=True, slots=True)
class TeacherFolder:
    """A teacher's files, each checked whenever it is opened.

    Attributes:
        path: The folder.
        root: Folder that no file may lead out of by a link; None allows links to anywhere.
    """

    path: Path
    root: Path | None = None

    def has(self, name: str) -> bool:
        """Whether something has this name, whatever it is."""
        return os.path.lexists(self.path / name)

    def open(self, name: str) -> BinaryIO:
        """Open one of its files.

        Raises:
            TeacherError: It is not there, no regular file, or leads out of the root.
        """
        try:
            return open_regular(self.path / name, self.root)
        except FileNotFoundError as error:
            raise TeacherError(f"{self.path} has no {name}") from error
        except OSError as error:
            raise TeacherError(f"{self.path / name} cannot be read: {error.strerror or error}") from error

    def read(self, name: str) -> bytes:
        """All of one of its files, which are small but for the weights.

        Raises:
            TeacherError: As `open`, or it is too large, or JSON of too many values.
        """
        with self.open(name) as stream:
            return read_small(stream, self.path / name)

    def read_object(self, name: str) -> dict[str, Any]:
        """One of its JSON files.

        Raises:
            TeacherError: As `read`, or it is no JSON, or no object.
        """
        return parse_object(self.read(name), self.path / name)

    def weights(self) -> tuple[str, ...]:
        """The files of its weights, an index first; none if there are no safetensors.

        Raises:
            TeacherError: The index cannot be read, or names what is no file beside it.
        """
        if self.has(WEIGHTS):
            return (WEIGHTS,)
        return (INDEX, *shard_names(self.read_object(INDEX), self.path / INDEX)) if self.has(INDEX) else ()

    def tokenizer(self) -> tuple[str, ...]:
        """The files of its tokenizer, sorted."""
        return tuple(sorted(name for name in _TOKENIZER_FILES if self.has(name)))

    def names(self) -> tuple[str, ...]:
        """Every file that the teacher is loaded from; nothing else in the folder is ever read."""
        config = (CONFIG,) if self.has(CONFIG) else ()
        return (*config, *self.weights(), *self.tokenizer())

    def digest(self) -> str:
        """SHA-256 over the names and contents of all its files.

        Raises:
            TeacherError: A file cannot be read.
        """
        return digest_of_digests(self._digests())

    def _digests(self) -> Iterator[tuple[str, str]]:
        for name in self.names():
            with self.open(name) as stream:
                yield name, digest_of_stream(stream)


def read_small(file: BinaryIO, place: Path) -> bytes:
    """All of a file that is no weights. The libraries read it whole, too, and make several times as much of it.

    Raises:
        TeacherError: It is larger, or is JSON of more values, than the operator allows.
    """
    content = read_at_most(file, place, "max_teacher_file_bytes", TeacherError)
    if place.suffix == ".json":
        require_few_values(content, place, TeacherError)
    return content
