"""Tests ose/core/packed_text.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import NOW, job_spec
from transformers import PreTrainedTokenizerBase

from ose.core.job import Job, JobStatus
from ose.core.messages import DataRequest
from ose.core.recipe import Sequences
from ose.data.training_text import training_text
from ose.data.unchanged import corpus_digest
from ose.errors import CorpusError
from ose.tasks.fill_mask.teacher import load_tokenizer


@pytest.fixture
def job(search: DataRequest) -> Job:
    return Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=search.corpus_spec),
        spec_hash="5" * 64,
        teacher=search.teacher,
        corpus=search.corpus,
        created_at=NOW,
    )


@pytest.fixture
def tokenizer(job: Job) -> PreTrainedTokenizerBase:
    return load_tokenizer(job.teacher.path)


def with_length(job: Job, sequence_length: int) -> Job:
    return replace(job, spec=replace(job.spec, corpus=replace(job.spec.corpus, sequence_length=sequence_length)))


def kept_in(folder: Path) -> list[Path]:
    """But for the digests."""
    return [path for path in folder.iterdir() if path.suffix != ".sha256"]


@pytest.mark.parametrize("form", ["packed", "documents"])
def test_the_text_is_tokenised_once(
    form: Sequences, job: Job, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    first = training_text(job, form, tokenizer, tmp_path)
    [path] = kept_in(tmp_path)
    written = path.stat().st_mtime_ns
    again = training_text(job, form, tokenizer, tmp_path)
    assert all(isinstance(group, np.memmap) for group in first)
    assert len(first) == len(again) and all(map(np.array_equal, first, again))
    assert path.stat().st_mtime_ns == written


def test_both_forms_lie_side_by_side(job: Job, tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    [packed] = training_text(job, "packed", tokenizer, tmp_path)
    documents = training_text(job, "documents", tokenizer, tmp_path)
    assert packed.shape[1] == job.spec.corpus.sequence_length == documents[-1].shape[1]
    assert [group.shape[1] for group in documents] == sorted(group.shape[1] for group in documents)
    assert len(documents) > 1


@pytest.mark.parametrize("form", ["packed", "documents"])
@pytest.mark.parametrize("change", ["length", "text", "teacher"])
def test_other_text_is_kept_beside_it(
    change: str, form: Sequences, job: Job, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    training_text(job, form, tokenizer, tmp_path)
    swapped = replace(job.corpus, train=job.corpus.validation, validation=job.corpus.train)
    other = replace(
        with_length(job, 16) if change == "length" else job,
        corpus=replace(swapped, digest=corpus_digest(swapped)) if change == "text" else job.corpus,
        teacher=replace(job.teacher, digest="other") if change == "teacher" else job.teacher,
    )
    assert training_text(other, form, tokenizer, tmp_path)[-1].shape[1] == other.spec.corpus.sequence_length
    assert len(kept_in(tmp_path)) == 2


def test_documents_too_short_for_any_sequence_are_told(
    job: Job, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match=r"makes a sequence of 12 tokens; use distillation\.sequences: packed"):
        training_text(with_length(job, 8), "documents", tokenizer, tmp_path)
    assert not list(tmp_path.iterdir())
