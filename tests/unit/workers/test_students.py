from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import NOW, architecture, job_spec
from searches import fill

from ose.core.inheritance import InheritanceSpec
from ose.core.job import DistillationResult, Job, JobStatus
from ose.core.measurement import LatencyProtocol
from ose.core.recipe import DistillationSpec
from ose.core.spec import SearchSpec
from ose.core.task import DataTask
from ose.errors import TeacherError
from ose.measure import latency
from ose.models.teacher import load_masked_lm, load_tokenizer
from ose.pipelines.evaluate import held_out_quality
from ose.pipelines.search_data import load_search_data
from workers.students import DistillationRequest, latency_of_directory, packed_text, run_distillation

SMALL = architecture(2, 2, 16, 24)
SPEC = DistillationSpec(steps=6, batch_size=4, precision="float32", checkpoint_every=4, learning_rate=5e-3)


@pytest.fixture
def job(search: DataTask) -> Job:
    return Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=search.corpus_spec, search=SearchSpec(initialization="inherit")),
        spec_hash="5" * 64,
        teacher=search.teacher,
        corpus=search.corpus,
        created_at=NOW,
    )


def request(job: Job, search: DataTask, folder: Path) -> DistillationRequest:
    return DistillationRequest(
        job=job,
        architecture=SMALL,
        inheritance=InheritanceSpec(),
        spec=SPEC,
        search_data=Path(search.folder),
        packed_text=folder / "packed",
        folder=folder / "run",
        threads=1,
    )


def ignore(*_: object) -> None:
    pass


def figures(result: DistillationResult) -> DistillationResult:
    return replace(result, wall_time_s=0, student_path="")


def test_the_saved_student_has_the_figures_of_the_result(job: Job, search: DataTask, tmp_path: Path) -> None:
    steps: list[int] = []
    result = run_distillation(request(job, search, tmp_path), lambda step, _: steps.append(step))
    assert steps == [1, 2, 3, 4, 5, 6]
    assert (result.num_steps, result.student_path) == (6, str(tmp_path / "run" / "student"))
    quality = held_out_quality(load_masked_lm(result.student_path), load_search_data(Path(search.folder)))
    assert result.loss_nats == pytest.approx(quality.loss_nats, abs=1e-5)
    assert result.masked_accuracy == quality.masked_accuracy
    assert result.loss_nats > fill(search).entropy_nats
    assert load_tokenizer(result.student_path).mask_token_id is not None


def test_an_interrupted_distillation_ends_with_the_same_figures(job: Job, search: DataTask, tmp_path: Path) -> None:
    def interrupt(step: int, _: object) -> None:
        if step == 5:
            raise KeyboardInterrupt

    straight = run_distillation(request(job, search, tmp_path / "straight"), ignore)
    with pytest.raises(KeyboardInterrupt):
        run_distillation(request(job, search, tmp_path / "again"), interrupt)
    resumed = run_distillation(request(job, search, tmp_path / "again"), ignore)
    assert figures(resumed) == figures(straight)
    assert figures(run_distillation(request(job, search, tmp_path / "again"), ignore)) == figures(straight)


def test_what_is_kept_and_how_it_starts_are_the_requests(job: Job, search: DataTask, tmp_path: Path) -> None:
    def first_loss(name: str, **changes: object) -> float:
        losses: list[float] = []
        asked = replace(request(job, search, tmp_path / name), **changes)
        run_distillation(asked, lambda _, step: losses.append(step.total))
        return losses[0]

    usual = first_loss("usual")
    assert first_loss("same", inheritance=InheritanceSpec(layers=(0, 3))) == usual
    assert first_loss("other", inheritance=InheritanceSpec(layers=(1, 2))) != usual
    assert first_loss("random", spec=replace(SPEC, initialization="random")) != usual


def test_the_text_is_packed_once(job: Job, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(job.teacher.path)
    first = packed_text(job, tokenizer, tmp_path)
    [file] = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    again = packed_text(job, tokenizer, tmp_path)
    assert isinstance(first, np.memmap)
    assert np.array_equal(first, again)
    assert file.stat().st_mtime_ns == written


@pytest.mark.parametrize("change", ["length", "text", "teacher"])
def test_other_text_is_packed_beside_it(change: str, job: Job, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(job.teacher.path)
    packed_text(job, tokenizer, tmp_path)
    corpus = replace(job.spec.corpus, sequence_length=16) if change == "length" else job.spec.corpus
    other = replace(
        job,
        spec=replace(job.spec, corpus=corpus),
        corpus=replace(job.corpus, digest="other") if change == "text" else job.corpus,
        teacher=replace(job.teacher, digest="other") if change == "teacher" else job.teacher,
    )
    assert packed_text(other, tokenizer, tmp_path).shape[1] == corpus.sequence_length
    assert len(list(tmp_path.iterdir())) == 2


def test_a_directory_is_measured(tiny_roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "TIMED_S", 0.05)
    monkeypatch.setattr(latency, "WARMUP_S", 0.0)
    protocol = LatencyProtocol(sequence_length=16)
    assert latency_of_directory(tiny_roberta, protocol).p50_ms > 0
    with pytest.raises(TeacherError):
        latency_of_directory(tmp_path, protocol)
