"""A job's whole training text as sequences, tokenised once and read through memory maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ose.artifacts.intact import intact_directory, intact_file, is_intact
from ose.core.job import Job
from ose.core.packed_text import general_text_key, packed_text_key
from ose.core.recipe import Sequences
from ose.data.corpus import group_corpus, pack_corpus, pack_general

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def training_text(
    job: Job, sequences: Sequences, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> tuple[np.ndarray, ...]:
    """The training text in the form that a recipe wants.

    Args:
        job: Its corpus and teacher.
        sequences: Packed to full length, or a document at a time.
        tokenizer: The teacher's.
        folder: Where texts are kept; equal texts are found there.

    Returns:
        An array (N, T) for each length; a single one if packed.

    Raises:
        CorpusError: The text gives no sequence.
        StorageError: The folder cannot be written.
    """
    if sequences == "packed":
        return (packed_text(job, tokenizer, folder),)
    return document_text(job, tokenizer, folder)


def packed_text(job: Job, tokenizer: PreTrainedTokenizerBase, folder: Path) -> np.ndarray:
    """The text packed to full sequences, (N, T). See `training_text`."""
    file = folder / f"{packed_text_key(job)}.npy"
    return _kept(file, lambda: pack_corpus(job.corpus, job.spec.corpus, tokenizer, "train"))


def general_text(job: Job, tokenizer: PreTrainedTokenizerBase, folder: Path) -> np.ndarray:
    """The text without labels, packed to full sequences, (N, T).

    Raises:
        CorpusError: It does not fill one.
        StorageError: The folder cannot be written.
    """
    file = folder / f"{general_text_key(job)}.npy"
    return _kept(file, lambda: pack_general(job.corpus, job.spec.corpus, tokenizer))


def document_text(job: Job, tokenizer: PreTrainedTokenizerBase, folder: Path) -> tuple[np.ndarray, ...]:
    """The text a document at a time, an array for each length. See `training_text`."""
    path = folder / f"{packed_text_key(job)}-documents"
    if not is_intact(path):
        groups = group_corpus(job.corpus, job.spec.corpus, tokenizer)
        with intact_directory(path) as target:
            for group in groups:
                _save(target / f"length-{group.shape[1]:05d}.npy", group)
    return tuple(np.load(file, mmap_mode="r") for file in sorted(path.glob("length-*.npy")))


def _kept(file: Path, pack: Callable[[], np.ndarray]) -> np.ndarray:
    if not is_intact(file):
        sequences = pack()
        with intact_file(file) as temporary:
            _save(temporary, sequences)
    packed: np.ndarray = np.load(file, mmap_mode="r")
    return packed


def _save(file: Path, array: np.ndarray) -> None:
    with file.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
