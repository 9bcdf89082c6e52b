"""Covers ose/artifacts/step_folders.py too."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import RobertaConfig, RobertaForMaskedLM

from ose.errors import InvalidInputError, StorageError
from ose.training.checkpoint import load_checkpoint, save_checkpoint
from ose.training.optimizer import build_optimizer


def tiny_model(seed: int = 0, hidden_size: int = 8) -> RobertaForMaskedLM:
    torch.manual_seed(seed)
    config = RobertaConfig(
        vocab_size=30,
        num_hidden_layers=1,
        num_attention_heads=2,
        hidden_size=hidden_size,
        intermediate_size=12,
        max_position_embeddings=20,
    )
    return RobertaForMaskedLM(config).eval()


def train(model: RobertaForMaskedLM, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        tokens = torch.randint(5, 30, (4, 12), generator=torch.Generator().manual_seed(step))
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def start(seed: int = 0) -> tuple[RobertaForMaskedLM, torch.optim.Optimizer]:
    model = tiny_model(seed)
    return model, build_optimizer(model, 1e-2)


def test_an_interrupted_run_ends_with_the_very_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    straight, optimizer = start()
    train(straight, optimizer, range(12))

    first, optimizer = start()
    train(first, optimizer, range(7))
    save_checkpoint(tmp_path, 7, first, optimizer, {"seen": 28})
    second, optimizer = start(seed=1)
    state = load_checkpoint(tmp_path, second, optimizer)
    train(second, optimizer, range(7, 12))

    assert state == {"step": 7, "seen": 28}
    expected = straight.state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in second.state_dict().items())


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path: Path) -> None:
    saved, optimizer = start()
    train(saved, optimizer, range(1))
    save_checkpoint(tmp_path, 1, saved, optimizer, {})
    loaded, optimizer = start(seed=1)
    load_checkpoint(tmp_path, loaded, optimizer)
    assert loaded.lm_head.decoder.weight is loaded.base_model.embeddings.word_embeddings.weight
    assert torch.equal(loaded.lm_head.decoder.weight, saved.lm_head.decoder.weight)
    stored = load_file(tmp_path / "step-00000001" / "training.safetensors")
    weights = {name.removeprefix("weight/") for name in stored if name.startswith("weight/")}
    assert weights == {name for name, _ in saved.named_parameters()}
    assert "lm_head.decoder.weight" not in weights


def test_a_checkpoint_of_an_earlier_version_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    straight, optimizer = start()
    train(straight, optimizer, range(7))
    folder = tmp_path / "step-00000007"
    folder.mkdir()
    moments = {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    save_file({name: p.detach().clone() for name, p in straight.named_parameters()}, folder / "model.safetensors")
    save_file(moments, folder / "optimizer.safetensors")
    (folder / "state.json").write_text('{"step": 7, "wall_time_s": 1.5}')
    train(straight, optimizer, range(7, 12))

    resumed, optimizer = start(seed=1)
    assert load_checkpoint(tmp_path, resumed, optimizer) == {"step": 7, "wall_time_s": 1.5}
    train(resumed, optimizer, range(7, 12))
    expected = straight.state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in resumed.state_dict().items())


def test_the_newest_two_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    model, optimizer = start()
    for step in (9, 10, 100):
        train(model, optimizer, range(step, step + 1))
        save_checkpoint(tmp_path, step, model, optimizer, {})
    assert sorted(os.listdir(tmp_path)) == ["step-00000010", "step-00000100"]
    state = load_checkpoint(tmp_path, *start())
    assert state is not None
    assert state["step"] == 100


def test_without_a_checkpoint_nothing_is_touched(tmp_path: Path) -> None:
    model, optimizer = start()
    assert load_checkpoint(tmp_path / "missing", model, optimizer) is None
    assert torch.equal(model.lm_head.dense.weight, tiny_model().lm_head.dense.weight)


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path) -> None:
    model, optimizer = start()
    train(model, optimizer, range(1))
    save_checkpoint(tmp_path, 1, model, optimizer, {})
    other = tiny_model(hidden_size=16)
    with pytest.raises(InvalidInputError, match="step-00000001 holds a model of another shape"):
        load_checkpoint(tmp_path, other, build_optimizer(other, 1e-2))


KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from ose.artifacts.files import atomic_directory
with atomic_directory(Path(sys.argv[1]) / "step-00000002") as folder:
    (folder / "model.safetensors").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.processes
def test_a_checkpoint_half_written_by_a_killed_process_is_ignored_then_removed(tmp_path: Path) -> None:
    model, optimizer = start()
    train(model, optimizer, range(1))
    save_checkpoint(tmp_path, 1, model, optimizer, {})
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2

    assert load_checkpoint(tmp_path, model, optimizer) == {"step": 1}
    save_checkpoint(tmp_path, 2, model, optimizer, {})
    assert sorted(os.listdir(tmp_path)) == ["step-00000001", "step-00000002"]


def test_a_failed_write_leaves_the_earlier_checkpoints(tmp_path: Path) -> None:
    model, optimizer = start()
    train(model, optimizer, range(1))
    save_checkpoint(tmp_path, 1, model, optimizer, {})
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path, 2, model, optimizer, {"not json": object()})
    assert os.listdir(tmp_path) == ["step-00000001"]


def test_a_place_that_cannot_hold_a_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        save_checkpoint(tmp_path / "file", 1, *start(), {})
