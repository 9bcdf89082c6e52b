"""Tests ose/distillation/curve.py and ose/latency/any_model.py."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, architecture, job_spec
from searches import fill
from transformers import DistilBertConfig, T5Config

from ose.core.inheritance import InheritanceSpec
from ose.core.job import DistillationResult, Job, JobStatus
from ose.core.measurement import LatencyProtocol
from ose.core.messages import DataRequest
from ose.core.presets import preset_spec
from ose.core.spec import SearchSpec
from ose.distillation.curve import read_curve
from ose.errors import EvaluationError, InvalidInputError, TeacherError
from ose.extraction.calibrate import open_calibration
from ose.tasks.fill_mask.search_data import load_search_data
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task
from ose.workers.foreground import FullDistillation, latencies_of_models, run_distillation

SMALL = architecture(2, 2, 16, 24)
SPEC = preset_spec(
    "distilbert",
    sequences="packed",
    steps=6,
    batch_size=4,
    precision="float32",
    checkpoint_every=4,
    learning_rate=5e-3,
)


@pytest.fixture
def job(search: DataRequest) -> Job:
    return Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=search.corpus_spec, search=SearchSpec(initialization="inherit")),
        spec_hash="5" * 64,
        teacher=search.teacher,
        corpus=search.corpus,
        created_at=NOW,
    )


def request(job: Job, search: DataRequest, folder: Path, **changes: Any) -> FullDistillation:
    return FullDistillation(
        job=job,
        architecture=SMALL,
        inheritance=InheritanceSpec(),
        spec=replace(SPEC, **changes),
        calibration=folder.parent / "calibration",
        search_data=Path(search.folder),
        packed_text=folder / "packed",
        folder=folder / "run",
        threads=1,
    )


def ignore(*_: object) -> None:
    pass


def figures(result: DistillationResult) -> DistillationResult:
    return replace(result, wall_time_s=0, student_path="")


def test_the_saved_student_has_the_figures_of_the_result(job: Job, search: DataRequest, tmp_path: Path) -> None:
    steps: list[int] = []
    result = run_distillation(request(job, search, tmp_path), lambda step, _: steps.append(step))
    assert steps == [1, 2, 3, 4, 5, 6]
    assert (result.num_steps, result.student_path) == (6, str(tmp_path / "run" / "student"))
    quality = held_out_quality(
        load_task("fill_mask"), load_masked_lm(result.student_path), load_search_data(Path(search.folder))
    )
    assert result.loss_nats == pytest.approx(quality.loss_nats, abs=1e-5)
    assert result.metrics == quality.metrics
    assert result.loss_nats > fill(search).entropy_nats
    assert load_tokenizer(result.student_path).mask_token_id is not None


def test_an_interrupted_distillation_ends_with_the_same_figures(job: Job, search: DataRequest, tmp_path: Path) -> None:
    def interrupt(step: int, _: object) -> None:
        if step == 5:
            raise KeyboardInterrupt

    straight = run_distillation(request(job, search, tmp_path / "straight"), ignore)
    with pytest.raises(KeyboardInterrupt):
        run_distillation(request(job, search, tmp_path / "again"), interrupt)
    resumed = run_distillation(request(job, search, tmp_path / "again"), ignore)
    assert figures(resumed) == figures(straight)
    assert figures(run_distillation(request(job, search, tmp_path / "again"), ignore)) == figures(straight)


def test_the_curve_of_an_interrupted_distillation_has_each_step_once(
    job: Job, search: DataRequest, tmp_path: Path
) -> None:
    def interrupt(step: int, _: object) -> None:
        if step == 6:
            raise KeyboardInterrupt

    wanted = request(job, search, tmp_path, evaluate_every=3, steps=7)
    with pytest.raises(KeyboardInterrupt):
        run_distillation(wanted, interrupt)
    before = read_curve(wanted.folder / "curve.csv")
    assert [line["step"] for line in before] == [0, 3]
    result = run_distillation(wanted, ignore)
    curve = read_curve(wanted.folder / "curve.csv")
    assert [line["step"] for line in curve] == [0, 3, 6, 7]
    assert curve[:2] == before
    assert curve[-1]["loss_nats"] == result.loss_nats < curve[0]["loss_nats"]
    assert sorted(line["wall_time_s"] for line in curve) == [line["wall_time_s"] for line in curve]
    run_distillation(wanted, ignore)
    assert read_curve(wanted.folder / "curve.csv") == curve


def test_what_is_kept_and_how_it_starts_are_the_requests(job: Job, search: DataRequest, tmp_path: Path) -> None:
    def first_loss(name: str, **changes: object) -> float:
        losses: list[float] = []
        asked = replace(request(job, search, tmp_path / name), **changes)
        run_distillation(asked, lambda _, step: losses.append(step.total))
        return losses[0]

    usual = first_loss("usual")
    kept = tuple(
        sorted(open_calibration(tmp_path / "calibration").importance["layers.elimination"].topk(2).indices.tolist())
    )
    other = next(layers for layers in combinations(range(4), 2) if layers != kept)
    assert first_loss("same", inheritance=InheritanceSpec(layers=kept)) == usual
    assert first_loss("other", inheritance=InheritanceSpec(layers=other)) != usual
    assert first_loss("random", spec=replace(SPEC, initialization="random")) != usual


def test_no_curve_is_written_unless_asked_for(job: Job, search: DataRequest, tmp_path: Path) -> None:
    wanted = request(job, search, tmp_path, steps=1)
    result = run_distillation(wanted, ignore)
    assert not (wanted.folder / "curve.csv").exists()
    assert sum(result.sequence_losses_nats) / len(result.sequence_losses_nats) == pytest.approx(result.loss_nats)


def test_the_recipe_decides_how_the_student_starts(job: Job, search: DataRequest, tmp_path: Path) -> None:
    def at_start(**changes: Any) -> float:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        wanted = request(job, search, folder, steps=1, evaluate_every=1, **changes)
        run_distillation(wanted, ignore)
        return float(read_curve(wanted.folder / "curve.csv")[0]["loss_nats"])

    assert job.spec.search.initialization == "inherit"
    assert at_start() == at_start(initialization="inherit") != at_start(initialization="random")


@pytest.mark.processes
def test_whatever_transformers_loads_is_measured_whole_beside_another_or_alone(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    protocol = LatencyProtocol(sequence_length=16, seconds_per_shape=0.01)
    small = DistilBertConfig(vocab_size=300, dim=16, hidden_dim=24, n_layers=1, n_heads=2, num_labels=3)
    small.architectures = ["DistilBertForSequenceClassification"]
    small.save_pretrained(tmp_path / "classifier")
    inputs = ((1, 16), (2, 8))
    for model, reference in ((tmp_path / "classifier", tiny_roberta), (tiny_roberta, None)):
        found = latencies_of_models(model, reference, inputs, protocol)
        assert tuple((each.batch_size, each.sequence_length) for each in found) == inputs
        assert all(each.latency.p50_ms > 0 for each in found)
        assert {each.latency.ratio is None for each in found} == {each.reference is None for each in found}
        assert {each.reference is None for each in found} == {reference is None}


@pytest.mark.processes
def test_what_cannot_be_measured_is_told_in_a_line(tiny_roberta: Path, tmp_path: Path) -> None:
    protocol = LatencyProtocol(seconds_per_shape=0.01)
    with pytest.raises(TeacherError):
        latencies_of_models(tmp_path, None, ((1, 16),), protocol)
    with pytest.raises(InvalidInputError, match="takes at most 64 tokens"):
        latencies_of_models(tiny_roberta, None, ((1, 16), (1, 65)), protocol)
    T5Config(vocab_size=300, d_model=16, d_ff=24, num_layers=1, num_heads=2, d_kv=8).save_pretrained(tmp_path / "t5")
    with pytest.raises(EvaluationError, match="latency could not be measured"):
        latencies_of_models(tmp_path / "t5", None, ((1, 16),), protocol)
