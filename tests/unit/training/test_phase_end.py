from pathlib import Path

import pytest
import torch
from torch import nn

from ose.training.optimizer import build_optimizer
from ose.training.phase_end import PhaseEnd

Trained = tuple[nn.Module, torch.optim.Optimizer]


def trained(steps: int, width: int = 4) -> Trained:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, width), nn.LayerNorm(width), nn.Linear(width, 2))
    optimizer = build_optimizer(model, 0.1)
    advance((model, optimizer), steps)
    return model, optimizer


def advance(trained: Trained, steps: int) -> None:
    model, optimizer = trained
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(5, 3)).square().sum().backward()
        optimizer.step()


def test_going_on_from_a_file_is_going_on(tmp_path: Path) -> None:
    file = tmp_path / "phases" / "end.safetensors"
    PhaseEnd.of(*trained(4), torch.tensor([4.0, 3.0, 2.0, 1.0])).save(file)
    end, resumed, losses = PhaseEnd.load(file), trained(0), torch.zeros(7)
    assert end is not None
    assert end.put(*resumed, losses) == 4
    assert losses.tolist() == [4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0]
    advance(resumed, 3)
    for one, other in zip(resumed[0].parameters(), trained(7)[0].parameters(), strict=True):
        assert torch.equal(one, other)


def test_an_end_that_is_put_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "end.safetensors"
    PhaseEnd.of(*trained(2), torch.zeros(2)).save(file)
    end, resumed = PhaseEnd.load(file), trained(0)
    assert end is not None
    before = {key: tensor.clone() for key, tensor in end.tensors.items()}
    end.put(*resumed, torch.zeros(3))
    advance(resumed, 1)
    assert all(torch.equal(tensor, before[key]) for key, tensor in end.tensors.items())


@pytest.mark.parametrize("content", [None, b"", b"half of a fi", b"\x08\0\0\0\0\0\0\0{}      "])
def test_what_cannot_be_read_is_not_there(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "end.safetensors"
    if content is not None:
        file.write_bytes(content)
    assert PhaseEnd.load(file) is None


def test_a_file_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "end.safetensors"
    PhaseEnd.of(*trained(1), torch.zeros(1)).save(file)
    written = file.stat().st_mtime_ns
    PhaseEnd.of(*trained(2), torch.zeros(2)).save(file)
    assert file.stat().st_mtime_ns == written
    assert {each.name for each in tmp_path.iterdir()} == {file.name, f"{file.name}.sha256"}


def test_a_file_that_is_not_what_was_written_is_written_again(tmp_path: Path) -> None:
    file = tmp_path / "end.safetensors"
    PhaseEnd.of(*trained(1), torch.zeros(1)).save(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert PhaseEnd.load(file) is None
    PhaseEnd.of(*trained(1), torch.zeros(1)).save(file)
    assert PhaseEnd.load(file) is not None
