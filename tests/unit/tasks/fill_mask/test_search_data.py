import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from models import masked_lm
from searches import HELD_OUT_SEQUENCES, NUM_SEQUENCES, SEQUENCE_LENGTH, SHARD_SEQUENCES, data_task, fill, targets_tasks

from ose.core.bounds import MAX_SEED
from ose.core.job import CorpusFacts
from ose.core.messages import DataRequest, DataSpan, DataSummary
from ose.data.search_spans import Span
from ose.data.unchanged import corpus_digest
from ose.errors import CorpusError, StorageError
from ose.tasks.fill_mask.search_data import NUM_DRAWS, FillMaskData, compute_targets, load_search_data, prepare_data
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer

FILES = ("batches.safetensors", "held-out.npy", "teacher.json", *(f"targets-{i:05d}.npy" for i in range(3)))
NUM_TARGETS = round(0.15 * SEQUENCE_LENGTH)


@pytest.fixture(scope="module")
def data(search: DataRequest) -> FillMaskData:
    return load_search_data(Path(search.folder))


@pytest.fixture(scope="module")
def teacher_log_probs(search: DataRequest, data: FillMaskData) -> dict[str, torch.Tensor]:
    """(N, K, V) of the whole model's, by the longest way."""
    teacher = load_masked_lm(search.teacher.path)
    found = {}
    for side, batch in (("train", data.train), ("held_out", data.held_out)):
        with torch.no_grad():
            logits = teacher(input_ids=batch.input_ids).logits
        found[side] = logits[torch.arange(len(logits))[:, None], batch.positions].double().log_softmax(-1)
    return found


def copy_of(search: DataRequest, folder: Path) -> DataRequest:
    shutil.copytree(search.folder, folder)
    for file in folder.iterdir():
        os.utime(file, (0, 0))
    return replace(search, folder=str(folder))


def contents(folder: Path | str) -> dict[str, bytes]:
    """Without the digests."""
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.suffix != ".sha256"}


def touched(folder: str) -> set[str]:
    return {file.name for file in Path(folder).iterdir() if file.stat().st_mtime != 0 and file.suffix != ".sha256"}


def test_a_folder_holds_what_its_docstring_says(search: DataRequest) -> None:
    assert set(contents(search.folder)) == set(FILES)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    search: DataRequest, sharp_roberta: Path, corpus: CorpusFacts, tmp_path: Path
) -> None:
    fill(data_task(tmp_path / "again", sharp_roberta, corpus))
    fill(data_task(tmp_path / "other", sharp_roberta, corpus, seed=1))
    expected, other = contents(search.folder), contents(tmp_path / "other")
    assert contents(tmp_path / "again") == expected
    assert all(other[name] != expected[name] for name in FILES)


def test_the_largest_seed_is_one(sharp_roberta: Path, corpus: CorpusFacts, tmp_path: Path) -> None:
    assert fill(data_task(tmp_path / "data", sharp_roberta, corpus, seed=MAX_SEED)).num_targets > 0


def test_what_is_there_is_never_done_again(search: DataRequest, tmp_path: Path) -> None:
    task = copy_of(search, tmp_path / "data")
    quality = fill(task)
    assert touched(task.folder) == set()
    assert quality == fill(search)


@pytest.mark.parametrize("lost", FILES)
def test_after_an_interruption_only_what_is_missing_is_done(lost: str, search: DataRequest, tmp_path: Path) -> None:
    task = copy_of(search, tmp_path / "data")
    (Path(task.folder) / lost).rename(Path(task.folder) / f".{lost}.0123abcd.partial")
    assert fill(task) == fill(search)
    found = contents(task.folder)
    assert {name: found[name] for name in FILES} == contents(search.folder)
    assert touched(task.folder) == {lost}


def test_a_folder_from_before_entropies_were_kept_is_judged_again(search: DataRequest, tmp_path: Path) -> None:
    task = copy_of(search, tmp_path / "data")
    summary = Path(task.folder) / "teacher.json"
    older = json.loads(summary.read_text())
    del older["sequence_entropies_nats"]
    summary.write_text(json.dumps(older))
    summary.with_name("teacher.json.sha256").unlink()  # which came later
    assert fill(task) == fill(search)
    assert touched(task.folder) == {"teacher.json"}


def test_batches_are_masked_sequences_of_the_sizes_asked_for(search: DataRequest, data: FillMaskData) -> None:
    mask = load_tokenizer(search.teacher.path).mask_token_id
    for batch, count in ((data.train, NUM_SEQUENCES), (data.held_out, HELD_OUT_SEQUENCES)):
        assert batch.input_ids.shape == (count, SEQUENCE_LENGTH)
        assert batch.positions.shape == batch.labels.shape == (count, NUM_TARGETS)
        share = (batch.input_ids.gather(1, batch.positions) == mask).double().mean()
        assert 0.6 < share < 0.95


def test_training_and_held_out_sequences_differ(data: FillMaskData) -> None:
    train, held_out = (
        {tuple(row) for row in batch.input_ids.scatter(1, batch.positions, batch.labels).tolist()}
        for batch in (data.train, data.held_out)
    )
    assert not train & held_out


def test_held_out_targets_are_the_teachers_whole_distributions(
    data: FillMaskData, teacher_log_probs: dict[str, torch.Tensor]
) -> None:
    stored = data.log_probs_of(torch.arange(HELD_OUT_SEQUENCES)).double()
    expected = teacher_log_probs["held_out"]
    torch.testing.assert_close(stored.exp(), expected.exp(), rtol=0, atol=1e-3)
    torch.testing.assert_close(stored, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        stored.exp().sum(-1), torch.ones(HELD_OUT_SEQUENCES, NUM_TARGETS).double(), rtol=0, atol=1e-5
    )
    picked = data.log_probs_of(torch.tensor([7, 2]))
    torch.testing.assert_close(picked.double(), stored[[7, 2]])


def test_the_teachers_quality_by_hand(
    search: DataRequest, data: FillMaskData, teacher_log_probs: dict[str, torch.Tensor]
) -> None:
    log_probs, labels = teacher_log_probs["held_out"], data.held_out.labels
    entropies = -(log_probs.exp() * log_probs).sum(-1).mean(dim=1)
    quality = fill(search)
    assert quality.entropy_nats == pytest.approx(entropies.mean().item(), rel=1e-5)
    assert quality.sequence_entropies_nats == pytest.approx(entropies.tolist(), rel=1e-5)
    assert quality.entropy_stderr_nats == pytest.approx((entropies.std() / math.sqrt(len(entropies))).item(), rel=1e-4)
    loss = -log_probs.gather(-1, labels[..., None]).mean().item()
    assert quality.metrics["masked_lm_loss_nats"].value == pytest.approx(loss, rel=1e-5)
    assert quality.metrics["masked_accuracy"].value == pytest.approx(
        (log_probs.argmax(-1) == labels).double().mean().item()
    )
    assert quality.num_targets == HELD_OUT_SEQUENCES * NUM_TARGETS


def test_draws_follow_the_teachers_distributions(
    data: FillMaskData, teacher_log_probs: dict[str, torch.Tensor]
) -> None:
    draws = data.draws_of(torch.arange(NUM_SEQUENCES))
    assert draws.shape == (NUM_SEQUENCES, NUM_TARGETS, NUM_DRAWS)
    assert_drawn_from(teacher_log_probs["train"], draws)


def assert_drawn_from(log_probs: torch.Tensor, draws: torch.Tensor) -> None:
    surprise = -log_probs.gather(-1, draws).mean()
    entropy = -(log_probs.exp() * log_probs).sum(-1)
    variance = (log_probs.exp() * (log_probs + entropy[..., None]) ** 2).sum(-1)
    stderr = math.sqrt(variance.sum() / NUM_DRAWS) / variance.numel()
    assert abs(surprise - entropy.mean()) < 4 * stderr
    assert stderr < 0.03


def test_each_token_is_drawn_as_often_as_it_is_likely(
    data: FillMaskData, teacher_log_probs: dict[str, torch.Tensor]
) -> None:
    probabilities = teacher_log_probs["train"].exp().flatten(0, 1)
    counts = torch.bincount(data.draws_of(torch.arange(NUM_SEQUENCES)).flatten(), minlength=probabilities.shape[-1])
    expected = NUM_DRAWS * probabilities.sum(0)
    variance = NUM_DRAWS * (probabilities * (1 - probabilities)).sum(0)
    usual = expected > 5
    chi_square = ((counts - expected) ** 2 / variance)[usual].sum()
    degrees = int(usual.sum())
    assert degrees > 100
    assert chi_square < degrees + 5 * math.sqrt(2 * degrees)


def test_rows_are_found_across_shards(search: DataRequest, data: FillMaskData) -> None:
    shards = [np.load(Path(search.folder) / f"targets-{i:05d}.npy") for i in range(3)]
    assert [len(shard) for shard in shards] == [SHARD_SEQUENCES, SHARD_SEQUENCES, NUM_SEQUENCES - 2 * SHARD_SEQUENCES]
    rows = torch.tensor([39, 0, 15, 16, 31, 32, 0])
    assert np.array_equal(data.draws_of(rows).numpy(), np.concatenate(shards)[rows])


def test_later_steps_have_text_of_their_own_behind_the_first(
    search: DataRequest, data: FillMaskData, tmp_path: Path
) -> None:
    later = replace(search, folder=str(tmp_path / "later"), num_sequences=20, held_out_sequences=0, seed=7)
    assert prepare_data(later) == prepare_data(later) == DataSummary(num_sequences=20, held_out_sequences=0)
    teacher = load_masked_lm(search.teacher.path)
    for task in targets_tasks(later, 20)[1:]:
        compute_targets(task, teacher)
    both = load_search_data(Path(search.folder), [DataSpan(folder=later.folder, first_step=5)])
    assert both.spans == (Span(0, 0), Span(5, NUM_SEQUENCES))
    assert torch.equal(both.train.input_ids[:NUM_SEQUENCES], data.train.input_ids)
    assert not torch.equal(both.train.input_ids[NUM_SEQUENCES:], data.train.input_ids[:20])
    rows = torch.tensor([0, 39, 40, 59, 20])
    theirs = [np.load(Path(later.folder) / f"targets-{i:05d}.npy") for i in range(2)]
    expected = [*data.draws_of(rows[:2]).numpy(), theirs[0][0], theirs[1][-1], *data.draws_of(rows[4:]).numpy()]
    assert np.array_equal(both.draws_of(rows).numpy(), np.stack(expected))
    assert np.array_equal(both.held_out_log_probs, data.held_out_log_probs)


def test_large_arrays_stay_on_disk(data: FillMaskData) -> None:
    assert all(isinstance(array, np.memmap) for array in (*data.draws, data.held_out_log_probs))


def test_precision_is_that_of_the_targets_to_train_on_alone(
    search: DataRequest, data: FillMaskData, teacher_log_probs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    task = copy_of(search, tmp_path / "data")
    for file in (*Path(task.folder).glob("targets-*.npy"), Path(task.folder) / "held-out.npy"):
        file.unlink()
    teacher = load_masked_lm(task.teacher.path)
    for each in targets_tasks(task, precision="bfloat16"):
        compute_targets(each, teacher)
    again = load_search_data(Path(task.folder))
    assert np.array_equal(again.held_out_log_probs, data.held_out_log_probs)
    rows = torch.arange(NUM_SEQUENCES)
    assert not torch.equal(again.draws_of(rows), data.draws_of(rows))
    assert_drawn_from(teacher_log_probs["train"], again.draws_of(rows))


@pytest.mark.parametrize(("vocab_size", "dtype"), [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_draws_take_the_smallest_integers_that_hold_the_vocabulary(
    vocab_size: int, dtype: type, search: DataRequest, tmp_path: Path
) -> None:
    task = copy_of(search, tmp_path / "data")
    (Path(task.folder) / "targets-00002.npy").unlink()
    teacher = masked_lm("roberta", vocab_size=vocab_size, max_position_embeddings=40, num_hidden_layers=1)
    with torch.no_grad():
        teacher.lm_head.bias[-1] += 100  # the last token alone is ever drawn
    compute_targets(targets_tasks(task)[-1], teacher)
    draws = np.load(Path(task.folder) / "targets-00002.npy")
    assert draws.dtype == dtype
    assert (draws == vocab_size - 1).all()


def test_too_little_held_out_text_is_refused(sharp_roberta: Path, corpus: CorpusFacts, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text(json.dumps({"text": "A few words are held out here, and not many sequences come of them. " * 3}))
    short = replace(corpus, validation=(str(few),))
    task = data_task(tmp_path / "data", sharp_roberta, replace(short, digest=corpus_digest(short)))
    with pytest.raises(CorpusError, match=r"the held-out text fills only [1-7] sequences; at least 8 are needed"):
        prepare_data(task)
    assert not (tmp_path / "data").exists()


def test_a_place_that_cannot_hold_the_folder_is_told(sharp_roberta: Path, corpus: CorpusFacts, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="could not be written"):
        prepare_data(data_task(tmp_path / "file" / "data", sharp_roberta, corpus))
