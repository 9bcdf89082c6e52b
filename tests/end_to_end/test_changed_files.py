"""Files that change or break after a job was submitted: what does not fit its digest is named, or made again.

Tests ose/artifacts/intact.py and ose/data/unchanged.py too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ose.core.job import Job, JobStatus
from ose.errors import ConflictError, CorpusError, TeacherError
from ose.workspace import Workspace

Damage = Callable[[Path], Any]


def flipped(file: Path) -> None:
    """One bit in the middle: the size stays, and so does all that is read of the file's head."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def overwritten(file: Path) -> None:
    file.write_bytes(b"\0" * file.stat().st_size)


DAMAGES = [flipped, cut, emptied, overwritten, Path.unlink]


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory, tiny_roberta: Path, real_text: list[str]) -> Path:
    """A teacher, a text and a job of them, in a folder."""
    folder = tmp_path_factory.mktemp("materials")
    shutil.copytree(tiny_roberta, folder / "teacher")
    (folder / "text.txt").write_text("\n".join(" ".join(text.split()) for text in real_text))
    return folder


def job_of(folder: Path) -> dict[str, Any]:
    return {
        "name": "tiny",
        "teacher": {"model": str(folder / "teacher"), "as_is": True},
        "corpus": {"train": [str(folder / "text.txt")], "sequence_length": 16},
        "space": {
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [4],
            "hidden_size": [16],
            "intermediate_size": [64],
        },
        "search": {"steps": 2, "hyperparameters": [{"batch_size": 4}], "held_out_sequences": 8},
        "latency": {"sequence_length": 16, "max_attempts": 1},
        "distillation": {"steps": 4, "batch_size": 4, "checkpoint_every": 2},
    }


@pytest.fixture(scope="module")
def searched(materials: Path) -> tuple[Path, str]:
    """A home with a finished search and a distilled student, and the job's id. Copy it."""
    with Workspace(materials / "home") as workspace:
        job = workspace.run(workspace.submit(job_of(materials)).id)
        assert job.status is JobStatus.SUCCEEDED, job.failure
        workspace.distill(job.id)
    return materials / "home", job.id


@pytest.fixture
def home(searched: tuple[Path, str], tmp_path: Path) -> Iterator[tuple[Workspace, str]]:
    """A copy of it: paths of a database are those of its home."""
    shutil.copytree(searched[0], tmp_path / "home")
    with Workspace(tmp_path / "home") as workspace:
        yield workspace, searched[1]


@pytest.fixture
def copied(materials: Path, tmp_path: Path) -> Path:
    """Teacher and text that may be changed."""
    for name in ("teacher", "text.txt"):
        source = materials / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    return tmp_path


def losses(workspace: Workspace, job: Job) -> list[float | None]:
    assert job.status is JobStatus.SUCCEEDED, job.failure
    rows = sorted(workspace.leaderboard(job.id).rows, key=lambda row: row.candidate)
    return [row.loss_nats for row in rows]


def shift_tokens(folder: Path) -> None:
    file = folder / "teacher" / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = {
        token: place if place < 5 else 5 + (place - 4) % (len(vocabulary) - 5) for token, place in vocabulary.items()
    }
    file.write_text(json.dumps(content))


def change_config(folder: Path) -> None:
    file = folder / "teacher" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "layer_norm_eps": 0.1}))


def change_case(folder: Path) -> None:
    """As many bytes as before."""
    file = folder / "text.txt"
    file.write_text(file.read_text().swapcase())


def add_a_line(folder: Path) -> None:
    with (folder / "text.txt").open("a") as stream:
        stream.write("\none more\n")


CHANGES: list[tuple[Callable[[Path], None], str]] = [
    (shift_tokens, "is not the teacher that it was when the job was submitted"),
    (change_config, "is not the teacher that it was when the job was submitted"),
    (change_case, "the text has changed since the job was submitted"),
    (add_a_line, "the text has changed since the job was submitted"),
]


@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_what_changed_after_submission_is_refused_when_the_job_starts(
    copied: Path, materials: Path, change: Callable[[Path], None], told: str
) -> None:
    """And nothing of it is kept for jobs of what it was before."""
    with Workspace(copied / "home") as workspace:
        submitted = workspace.submit(job_of(copied))
        change(copied)
        job = workspace.run(submitted.id)
        assert job.status is JobStatus.FAILED and job.failure is not None
        assert told in job.failure.message and str(copied) in job.failure.message
        assert not list((workspace.artifacts / "search-data").rglob("*.safetensors"))


def test_files_that_are_put_back_are_read_again(copied: Path, searched: tuple[Path, str]) -> None:
    with Workspace(searched[0]) as first, Workspace(copied / "home") as workspace:
        submitted, before = workspace.submit(job_of(copied)), (copied / "text.txt").read_bytes()
        change_case(copied)
        assert workspace.run(submitted.id).status is JobStatus.FAILED
        (copied / "text.txt").write_bytes(before)
        assert losses(workspace, workspace.run(submitted.id)) == losses(first, first.job(searched[1]))


@pytest.mark.parametrize(("change", "error"), [(change_case, CorpusError), (shift_tokens, TeacherError)])
def test_what_changed_after_the_search_is_refused_when_a_student_is_distilled(
    copied: Path, change: Callable[[Path], None], error: type[Exception]
) -> None:
    with Workspace(copied / "home") as workspace:
        job = workspace.run(workspace.submit(job_of(copied)).id)
        change(copied)
        with pytest.raises(error, match="submitted"):
            workspace.distill(job.id)


def shared_files(workspace: Workspace) -> list[Path]:
    """What later jobs find, but for the digests."""
    folders = ("search-data", "anatomy", "packed-text", "checkpoints")
    files = [file for name in folders for file in sorted((workspace.artifacts / name).rglob("*")) if file.is_file()]
    return [file for file in files if file.suffix != ".sha256"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_shared_files_are_made_again(
    home: tuple[Workspace, str], materials: Path, searched: tuple[Path, str], damage: Damage
) -> None:
    workspace, job_id = home
    files = shared_files(workspace)
    assert {"held-out.npy", "batches.safetensors", "teacher.json", "anatomy.safetensors"} <= {
        each.name for each in files
    }
    before = {file: file.read_bytes() for file in files}
    for file in files:
        damage(file)
    again = workspace.run(workspace.submit(job_of(materials)).id)
    assert losses(workspace, again) == losses(workspace, workspace.job(job_id))
    [first] = workspace.store.distillations(job_id)
    distilled = workspace.distill(again.id, candidate=first.candidate_number)  # the best may differ by a latency
    assert distilled.result is not None and first.result is not None
    assert distilled.result.loss_nats == first.result.loss_nats
    assert all(file.read_bytes() == before[file] for file in files if file.suffix == ".npy")


def test_a_digest_that_is_damaged_costs_no_more_than_its_file(home: tuple[Workspace, str], materials: Path) -> None:
    workspace, job_id = home
    for digest in workspace.artifacts.rglob("*.sha256"):
        emptied(digest)
    again = workspace.run(workspace.submit(job_of(materials)).id)
    assert losses(workspace, again) == losses(workspace, workspace.job(job_id))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_student_is_named_and_written_anew(
    home: tuple[Workspace, str], tmp_path: Path, damage: Damage
) -> None:
    workspace, job_id = home
    [before] = workspace.store.distillations(job_id)
    assert before.result is not None
    weights = Path(before.result.student_path) / "model.safetensors"
    assert weights.is_relative_to(tmp_path)
    content = weights.read_bytes()
    damage(weights)
    with pytest.raises(
        ConflictError, match=r"model.safetensors is gone, or is not what was distilled; run `ose distill"
    ):
        workspace.export(job_id, tmp_path / "student")
    workspace.distill(job_id, candidate=before.candidate_number)
    assert weights.read_bytes() == content
    workspace.export(job_id, tmp_path / "student")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["training.safetensors", "state.json"])
def test_a_distillation_goes_on_from_the_newest_whole_checkpoint(
    home: tuple[Workspace, str], tmp_path: Path, damage: Damage, name: str
) -> None:
    workspace, job_id = home
    [before] = workspace.store.distillations(job_id)
    assert before.result is not None
    folder = Path(before.folder)
    newest = max((folder / "checkpoints").glob("step-*"))
    damage(newest / name)
    shutil.rmtree(folder / "student")
    again = workspace.distill(job_id, candidate=before.candidate_number)
    assert again.result is not None and again.result.loss_nats == before.result.loss_nats
