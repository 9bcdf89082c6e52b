"""What the quickstart brings along: a teacher worth the name, real text, a job that is valid."""

from __future__ import annotations

import json
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch
import yaml

from ose.data.docstrings import iter_docstrings
from ose.data.packing import pack_sequences
from ose.families.counts import counts_of
from ose.inputs import quickstart_job
from ose.inputs.job_file import load_job_file
from ose.inputs.teachers import inspect_teacher
from ose.tasks.fill_mask.evaluate import masked_lm_quality
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.masking import MaskingRule, draw_masks
from ose.tasks.fill_mask.ngrams import ngram_losses
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer


@pytest.fixture
def small_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setattr(quickstart_job, "TRAIN_BYTES", 60_000)
    monkeypatch.setattr(quickstart_job, "HELD_OUT_BYTES", 30_000)
    return quickstart_job.write_text(tmp_path)


def documents(file: Path) -> list[str]:
    return [json.loads(line)["text"] for line in file.read_text(encoding="utf8").splitlines()]


@pytest.mark.slow
def test_text_is_real_disjoint_and_written_once(small_text: tuple[Path, Path]) -> None:
    train, held_out = small_text
    assert 60_000 <= sum(len(text.encode()) for text in documents(train)) < 200_000
    assert set(documents(train)).isdisjoint(documents(held_out))
    before = [file.stat().st_mtime_ns for file in small_text]
    assert quickstart_job.write_text(train.parent) == small_text
    assert [file.stat().st_mtime_ns for file in small_text] == before


@pytest.mark.slow
def test_the_job_file_is_valid_and_fits_the_teacher(small_text: tuple[Path, Path], tmp_path: Path) -> None:
    spec = load_job_file(quickstart_job.write_job_file(tmp_path, *small_text, threads=2))
    teacher = inspect_teacher(spec.teacher)
    members = list(spec.space.members(counts_of(teacher)))
    assert len(members) >= 24
    assert len(members[:: spec.search.epsilon]) >= 8
    assert teacher.architecture in [member.architecture for member in members]
    assert spec.space.embedding == teacher.embedding
    assert yaml.safe_load((tmp_path / "job.yaml").read_text())["workers"]["cpus"] == 2


@pytest.mark.long("only another teacher changes it; that the job fits the teacher stays")
def test_the_teacher_beats_what_counting_can_do() -> None:
    folder = quickstart_job.teacher_folder()
    assert (folder / "model.safetensors").stat().st_size <= 10_000_000
    assert "held-out" in (folder / "README.md").read_text(encoding="utf8")
    tokenizer, model = load_tokenizer(folder), load_masked_lm(folder)
    train = pack_sequences(islice(iter_docstrings(held_out=False), 3000), tokenizer, 128)
    held_out = pack_sequences(iter_docstrings(held_out=True), tokenizer, 128, max_sequences=64)
    clean = torch.from_numpy(held_out.astype("int64"))
    masked = draw_masks(clean, MaskingRule.for_tokenizer(tokenizer), torch.Generator().manual_seed(0))
    quality = masked_lm_quality(partial(logits_at, model), masked.input_ids, masked.positions, masked.labels)
    counted = ngram_losses(train, held_out, masked.positions.numpy(), len(tokenizer))
    assert quality.loss_nats < counted.bigram_nats - 0.5 < counted.unigram_nats
