import argparse
import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast, RobertaForMaskedLM

from ose.data.docstrings import docstrings_of
from ose.data.packing import pack_sequences
from ose.data.tokenizer import train_tokenizer
from ose.tasks.fill_mask.masking import MaskingRule
from ose.tasks.fill_mask.pretrain import (
    PretrainingProgress,
    PretrainingRecipe,
    PretrainingReport,
    _training_batch,
    pretrain,
)

RECIPE = PretrainingRecipe(
    num_hidden_layers=1,
    num_attention_heads=2,
    hidden_size=32,
    intermediate_size=64,
    vocab_size=400,
    sequence_length=32,
    num_steps=60,
    batch_size=16,
    learning_rate=5e-3,
    held_out_sequences=64,
    checkpoint_every=20,
)


@dataclasses.dataclass(frozen=True)
class Text:
    tokenizer: PreTrainedTokenizerFast
    train: np.ndarray
    held_out: np.ndarray


@dataclasses.dataclass(frozen=True)
class Run:
    model: RobertaForMaskedLM
    report: PretrainingReport
    curve: dict[int, float]


@pytest.fixture(scope="module")
def text() -> Text:
    documents = [text for module in (argparse, subprocess) for text in docstrings_of(Path(module.__file__))] * 4
    tokenizer = train_tokenizer(documents, RECIPE.vocab_size, RECIPE.sequence_length)
    sequences = pack_sequences(documents, tokenizer, RECIPE.sequence_length)
    return Text(tokenizer, sequences[:-64], sequences[-64:])


def run(text: Text, checkpoints: Path, interrupt_at: int | None = None) -> Run:
    curve: dict[int, float] = {}

    def on_progress(progress: PretrainingProgress) -> None:
        if progress.step == interrupt_at:
            raise KeyboardInterrupt
        curve[progress.step] = progress.loss_nats

    model, report = pretrain(RECIPE, text.tokenizer, text.train, text.held_out, checkpoints, on_progress)
    return Run(model, report, curve)


@pytest.fixture(scope="module")
def uninterrupted(text: Text, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(text, tmp_path_factory.mktemp("uninterrupted"))


@pytest.mark.slow
def test_the_loss_goes_down_from_that_of_chance(uninterrupted: Run) -> None:
    assert sorted(uninterrupted.curve) == [10, 20, 30, 40, 50, 60]
    assert uninterrupted.curve[10] == pytest.approx(np.log(RECIPE.vocab_size), abs=0.7)
    assert uninterrupted.curve[60] < uninterrupted.curve[10] - 0.3


@pytest.mark.slow
def test_an_interrupted_run_goes_on_along_the_same_curve(text: Text, uninterrupted: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(text, tmp_path, interrupt_at=50)
    resumed = run(text, tmp_path)
    assert resumed.curve == {step: loss for step, loss in uninterrupted.curve.items() if step > 40}
    assert resumed.report == uninterrupted.report
    expected = uninterrupted.model.state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in resumed.model.state_dict().items())


@pytest.mark.slow
def test_a_finished_run_is_only_reported_again(text: Text, uninterrupted: Run, tmp_path: Path) -> None:
    run(text, tmp_path)
    again = run(text, tmp_path)
    assert again.curve == {}
    assert again.report == uninterrupted.report


def test_the_report_stands_beside_its_baselines(uninterrupted: Run) -> None:
    report = uninterrupted.report
    assert report.num_parameters == sum(p.numel() for p in uninterrupted.model.parameters())
    assert report.num_training_tokens == 60 * 16 * 32
    assert report.teacher.num_targets == 64 * round(0.15 * 32)
    assert 0 < report.ngrams.bigram_nats < report.ngrams.unigram_nats < np.log(RECIPE.vocab_size)
    assert report.teacher.loss_nats < np.log(RECIPE.vocab_size)


def test_progress_tells_speed_and_time_left(text: Text, tmp_path: Path) -> None:
    seen: list[PretrainingProgress] = []
    recipe = dataclasses.replace(RECIPE, num_steps=20)
    pretrain(recipe, text.tokenizer, text.train, text.held_out, tmp_path, seen.append)
    assert seen[0].time_left_s == pytest.approx(10 * 16 * 32 / seen[0].tokens_per_s)
    assert seen[-1].time_left_s == 0


def test_every_sequence_is_seen_once_an_epoch_in_another_order(text: Text) -> None:
    rule = MaskingRule.for_tokenizer(text.tokenizer)
    rows = np.unique(text.train, axis=0)[:48]
    batches = [_training_batch(RECIPE, rule, rows, step) for step in range(6)]
    restored = [b.input_ids.scatter(1, b.positions, b.labels).numpy() for b in batches]
    for epoch in (restored[:3], restored[3:]):
        assert np.array_equal(np.unique(np.concatenate(epoch), axis=0), rows)
    assert not np.array_equal(np.concatenate(restored[:3]), np.concatenate(restored[3:]))
