"""A distillation on several processes, really killed: it goes on from its last checkpoint and leaves nothing."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from processes import are_gone, eventually, is_ray_agent, ose, train_workers

from ose.core.job import DistillationStatus
from ose.workspace import Workspace

pytestmark = pytest.mark.ray

WITHIN_S = 180.0
RECIPE = {"steps": 1_000_000, "batch_size": 4, "micro_batch_size": 2, "checkpoint_every": 20}


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders go: a short path, because Ray's sockets are in them."""
    with tempfile.TemporaryDirectory(prefix="ose", ignore_cleanup_errors=True) as folder:  # agents still log there
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.fixture
def searched(tmp_path: Path, tiny_roberta: Path, real_text: list[str]) -> tuple[Path, str]:
    """A home with a finished job of one candidate, whose distillation never ends."""
    text = tmp_path / "text.txt"
    text.write_text("\n".join(" ".join(document.split()) for document in real_text))
    axes = {"num_hidden_layers": [1], "num_attention_heads": [2], "hidden_size": [16], "intermediate_size": [32]}
    content = {
        "name": "faults",
        "teacher": {"model": str(tiny_roberta)},
        "corpus": {"train": [str(text)], "sequence_length": 16},
        "space": {"name": "one", **axes},
        "search": {"steps": 1, "held_out_sequences": 8},
        "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
        "distillation": RECIPE,
    }
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(content))
    with Workspace(tmp_path / "home") as workspace:
        return tmp_path / "home", workspace.run(workspace.submit(file).id).id


def steps_kept(home: Path) -> int:
    """The step of the newest checkpoint."""
    checkpoints = home.glob("artifacts/distillations/*/checkpoints/step-*")
    return max((int(each.name.removeprefix("step-")) for each in checkpoints if each.suffix == ""), default=0)


def goes_on_beyond(home: Path, step: int) -> bool:
    return eventually(lambda: steps_kept(home) > step, WITHIN_S)


@pytest.mark.long
def test_a_killed_worker_is_replaced_and_an_interrupt_keeps_the_last_checkpoint(
    searched: tuple[Path, str], scratch: Path
) -> None:
    home, job_id = searched
    with ose(home, "distill", job_id, "--workers", "2") as run:
        assert goes_on_beyond(home, 0)
        first, second = train_workers(psutil.Process(run.pid))
        second.kill()
        assert are_gone([first, second], WITHIN_S)
        assert goes_on_beyond(home, steps_kept(home))
        everything = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "the last checkpoint is kept" in told
    assert "Traceback" not in told
    assert are_gone(everything, within_s=1)
    assert list(scratch.iterdir()) == []
    assert steps_kept(home) > 0


@pytest.mark.long("starts Ray Train once more; a worker that is killed is the fault that stays")
def test_a_killed_parent_takes_the_workers_along_and_the_same_command_goes_on(
    searched: tuple[Path, str], scratch: Path
) -> None:
    home, job_id = searched
    with ose(home, "distill", job_id, "--workers", "2") as run:
        assert goes_on_beyond(home, 0)
        workers = train_workers(psutil.Process(run.pid))
        everything = [each for each in psutil.Process(run.pid).children(recursive=True) if not is_ray_agent(each)]
        run.kill()
        run.wait()
        assert len(workers) == 2
        assert are_gone(workers, within_s=20)  # before anybody could start them again
    kept = steps_kept(home)
    with ose(home, "distill", job_id) as run:
        assert goes_on_beyond(home, kept)
    assert are_gone(everything, within_s=20)


@pytest.mark.long("starts Ray Train once more; a coordinator that hands its job back is in test_coordinators.py")
def test_a_terminated_coordinator_hands_its_distillation_back(searched: tuple[Path, str], scratch: Path) -> None:
    home, job_id = searched
    with Workspace(home) as workspace:
        asked = workspace.students.request(job_id)
        with ose(home, "coordinator") as first:
            assert goes_on_beyond(home, 0)
            first.send_signal(signal.SIGTERM)
            _, told = first.communicate(timeout=60)
        assert first.returncode == 0 and "Traceback" not in told, told
        assert workspace.store.distillation(asked.id).status is DistillationStatus.PENDING
        assert list(scratch.iterdir()) == []
        kept = steps_kept(home)
        with ose(home, "coordinator"):
            assert goes_on_beyond(home, kept)
            assert workspace.store.distillation(asked.id).status is DistillationStatus.RUNNING
