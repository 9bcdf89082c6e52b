"""What every task does, whatever it asks of its teacher.

Covers ose/tasks/base.py, ose/tasks/registry.py, ose/tasks/judging.py, ose/tasks/loading.py,
ose/tasks/fill_mask/task.py, ose/tasks/fill_mask/rules.py, ose/tasks/fill_mask/output_losses.py,
ose/tasks/text_classification/task.py, ose/tasks/text_classification/rules.py.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
import torch
import transformers
from builders import NOW, architecture, beyond, job_spec, search_space
from classifiers import put_labelled
from distillations import SPEC
from opening.table import put_opening
from searches import PLAIN_START, data_task, evaluate_task, targets_tasks
from torch import nn

from ose.core.job import Job, JobStatus
from ose.core.measurement import TeacherQuality
from ose.core.messages import CalibrationRequest, DataRequest, DataSpan
from ose.core.recipe import LossWeights
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.distillation.module import OF_STATES, DistillationModule, StepLosses
from ose.distillation.run import DistillationRun, distill
from ose.errors import InvalidInputError, NonFiniteLossError, TeacherError
from ose.extraction.initial import initial_student
from ose.families.models import parts_of
from ose.families.parts import attention_bias
from ose.tasks import registry
from ose.tasks.base import Examples, SearchData, Task
from ose.tasks.choice import suited_task
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task, task_rules
from ose.tasks.rules import TaskRules
from ose.training.positions import at_positions

SMALL = architecture(2, 2, 16, 24)
MEMBERS = {**registry.TASKS, "opening": "opening"}


@pytest.fixture(scope="module", params=MEMBERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def _table() -> object:
    with pytest.MonkeyPatch.context() as patch:
        put_opening(patch)
        yield


@dataclass(frozen=True)
class Search:
    """A complete folder, and who made it."""

    task: Task
    request: DataRequest
    teacher: nn.Module
    quality: TeacherQuality
    data: SearchData

    def student(self) -> nn.Module:
        return initial_student(self.teacher, SMALL, replace(PLAIN_START, task=self.task.rules.name))

    def head_outputs(self, model: nn.Module, examples: Examples, rows: torch.Tensor) -> torch.Tensor:
        """(B, K, ...), by the model's parts."""
        parts, inputs = parts_of(model, self.task.rules.name), examples.inputs(rows)
        states, bias = parts.embeddings.run(**inputs), attention_bias(inputs)
        for block in parts.blocks:
            states = block.run(states, bias)
        return parts.head.run(at_positions(states, examples.positions[rows]))


def filled(task: Task, request: DataRequest) -> TeacherQuality:
    summary = task.prepare(request)
    teacher = task.load_teacher(request.teacher.path, request.teacher.digest)
    shards = targets_tasks(request, summary.num_sequences)
    [quality, *others] = [task.compute_targets(each, teacher) for each in shards]
    assert quality is not None and others == [None] * (len(shards) - 1)
    return quality


def masked_search(name: str, folder: Path, request: pytest.FixtureRequest) -> DataRequest:
    teacher = request.getfixturevalue("sharp_roberta")
    data = data_task(folder, teacher, request.getfixturevalue("corpus"))
    return replace(data, teacher=replace(data.teacher, task=name))


def labelled_search(name: str, folder: Path, request: pytest.FixtureRequest) -> DataRequest:
    teacher = request.getfixturevalue("tiny_classifier")
    spec, corpus = put_labelled(folder.parent, request.getfixturevalue("real_text"))
    return data_task(folder, teacher, corpus, corpus_spec=spec)


SEARCHES = {"fill_mask": masked_search, "opening": masked_search, "text_classification": labelled_search}


@pytest.fixture(scope="module")
def of(name: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Search:
    data = SEARCHES[name](name, tmp_path_factory.mktemp(name) / "data", request)
    task = load_task(name)
    quality = filled(task, data)
    teacher = task.load_teacher(data.teacher.path)
    return Search(task, data, teacher, quality, task.load_data(Path(data.folder)))


@pytest.fixture
def job(of: Search) -> Job:
    return Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=of.request.corpus_spec, space=search_space()),
        spec_hash="5" * 64,
        teacher=of.request.teacher,
        corpus=of.request.corpus,
        created_at=NOW,
    )


LIGHT = """
import sys
from ose.tasks.registry import TASKS, task_rules
TASKS["opening"] = "opening"
assert not any("rules" in name for name in sys.modules if name.startswith(("ose.tasks.", "opening")))
rules = [task_rules(name) for name in TASKS]
print(*({"torch", "transformers", "ray"} & sys.modules.keys()))
"""


@pytest.mark.processes
def test_reading_the_table_imports_no_member_and_its_rules_load_no_torch() -> None:
    support = str(Path(__file__).parents[1] / "support")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({support!r})\n{LIGHT}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == []


def test_a_member_is_called_as_the_table_calls_it(name: str) -> None:
    rules = task_rules(name)
    assert rules.name == name and load_task(name).rules is rules
    for field in fields(TaskRules):
        assert field.name in ("output_weights", "references") or getattr(rules, field.name), field.name


def test_a_task_that_is_not_there_is_told_with_those_that_are() -> None:
    for load in (task_rules, load_task):
        with pytest.raises(InvalidInputError, match="there is no task 'sing'; choose one of fill_mask"):
            load("sing")


def test_a_member_is_chosen_by_the_class_or_by_name(name: str, tmp_path: Path) -> None:
    wanted = {"architectures": [f"Some{task_rules(name).model_classes[0]}"]}
    assert task_rules(suited_task(wanted, None, tmp_path)).suits(wanted["architectures"][0])
    assert suited_task(wanted, name, tmp_path) == name
    assert suited_task({}, name, tmp_path) == name
    with pytest.raises(TeacherError, match=f"holds a SomeModel, which has no {task_rules(name).head_kind}; OSE needs"):
        suited_task({"architectures": ["SomeModel"]}, name, tmp_path)
    with pytest.raises(TeacherError, match=r"is a decoder \(SomeForCausalLM\); OSE needs a "):
        suited_task({"architectures": ["SomeForCausalLM"]}, name, tmp_path)


def test_what_the_folder_has_is_left_as_it_is(of: Search) -> None:
    before = {file: file.read_bytes() for file in Path(of.request.folder).iterdir() if file.name != "teacher.json"}
    assert filled(of.task, of.request) == of.quality
    assert before == {file: file.read_bytes() for file in before}


def test_the_same_request_makes_the_same_files(of: Search, tmp_path: Path) -> None:
    assert filled(of.task, replace(of.request, folder=str(tmp_path / "again"))) == of.quality
    for file in Path(of.request.folder).iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_rows_of_a_step_do_not_depend_on_the_steps_that_follow(of: Search) -> None:
    rows = of.data.batch_rows(9, 8)
    assert rows.shape == (9, 8)
    assert torch.equal(of.data.batch_rows(4, 8), rows[:4])


def test_later_steps_see_the_items_of_a_later_folder(of: Search, tmp_path: Path) -> None:
    later = replace(of.request, folder=str(tmp_path / "later"), held_out_sequences=0, seed=7)
    summary = of.task.prepare(later)
    for request in targets_tasks(later, summary.num_sequences)[1:]:
        of.task.compute_targets(request, of.teacher)
    data = of.task.load_data(Path(of.request.folder), [DataSpan(folder=later.folder, first_step=2)])
    student = of.student()
    both, alone = (each.batch_rows(3, 8) for each in (data, of.data))
    with torch.no_grad():
        losses = [
            [float(of.task.loss(student, d, r, "float32")) for r in rows]
            for d, rows in ((data, both), (of.data, alone))
        ]
    assert losses[0][:2] == losses[1][:2] and losses[0][2] != losses[1][2]


def test_the_loss_of_a_step_is_a_function_of_its_rows_and_reaches_the_student(of: Search) -> None:
    student = of.student()
    first, other = (of.task.loss(student, of.data, rows, "float32") for rows in (torch.arange(8), torch.arange(8, 16)))
    assert first.shape == () and first.item() == of.task.loss(student, of.data, torch.arange(8), "float32").item()
    assert first.item() != other.item()
    first.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in student.base_model.encoder.parameters())


def test_nothing_of_a_step_or_a_judgement_waits_for_the_device(of: Search) -> None:
    """Meta tensors have no numbers, so whatever waits for one fails."""
    meta = torch.device("meta")
    student, data = of.student().to(meta), of.task.on_device(of.data, meta)
    loss = of.task.loss(student, data, torch.zeros(8, dtype=torch.long, device=meta), "float32")
    loss.backward()
    assert loss.device == meta and of.task.judge(student, data, None, "float32").device == meta


def test_data_that_are_there_are_not_moved_again(of: Search) -> None:
    data = of.task.on_device(of.data, torch.device("cpu"))
    assert of.task.loss(of.student(), data, torch.arange(8), "float32").isfinite()


def test_the_teacher_is_as_near_to_itself_as_any_student_can_be(of: Search) -> None:
    itself, student = (held_out_quality(of.task, model, of.data) for model in (of.teacher, of.student()))
    assert itself.loss_nats == pytest.approx(of.quality.entropy_nats, abs=1e-3)
    assert itself.sequence_losses_nats == pytest.approx(of.quality.sequence_entropies_nats, abs=1e-3)
    assert student.loss_nats > itself.loss_nats
    assert itself.metrics.keys() == student.metrics.keys() == of.quality.metrics.keys()
    for metric, of_teacher in of.quality.metrics.items():
        assert itself.metrics[metric].value == pytest.approx(of_teacher.value, abs=1e-3), metric


def test_the_first_items_alone_are_the_first_of_all(of: Search) -> None:
    student = of.student()
    few, all_of_them = (held_out_quality(of.task, student, of.data, num_items) for num_items in (4, None))
    assert few.sequence_losses_nats == pytest.approx(all_of_them.sequence_losses_nats[:4])
    assert len(all_of_them.sequence_losses_nats) == len(of.data.held_out.input_ids)


def test_a_student_that_has_diverged_is_told(of: Search) -> None:
    student = of.student()
    with torch.no_grad():
        next(student.parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteLossError):
        held_out_quality(of.task, student, of.data)


def test_outputs_of_the_head_are_judged_as_the_whole_model_is(of: Search) -> None:
    student, rows, held_out = of.student(), torch.arange(6), of.data.held_out
    losses_of = of.task.held_out_losses(of.data, rows, torch.device("cpu"))
    with torch.inference_mode():
        losses = losses_of(of.head_outputs(student, held_out, rows)).tolist()
    assert losses == pytest.approx(held_out_quality(of.task, student, of.data, 6).sequence_losses_nats, abs=1e-4)


def calibration(of: Search) -> CalibrationRequest:
    return CalibrationRequest(
        id="calibration",
        folder="",
        teacher=of.request.teacher,
        corpus=of.request.corpus,
        corpus_spec=of.request.corpus_spec,
        num_sequences=6,
        eliminates_layers=False,
    )


def test_a_sample_is_the_same_each_time_and_its_loss_has_gradients(of: Search) -> None:
    sample, again = (of.task.sample(calibration(of), of.teacher) for _ in range(2))
    assert torch.equal(sample.input_ids, again.input_ids) and torch.equal(sample.positions, again.positions)
    assert len(sample.input_ids) == len(sample.positions) >= 6
    rows = torch.tensor([4, 1])
    logits = of.head_outputs(of.teacher, sample, rows).detach().requires_grad_()
    loss = sample.loss(logits, rows)
    loss.backward()
    assert loss.item() > 0 and logits.grad is not None and logits.grad.abs().sum() > 0


def test_nothing_is_nearer_to_the_teacher_than_itself(of: Search) -> None:
    sample = of.task.sample(calibration(of), of.teacher)
    expected, others = of.task.outputs(of.teacher, sample), of.task.outputs(of.student(), sample)
    assert of.task.distance(expected, expected) < of.task.distance(expected, others)


def test_batches_of_full_distillation_follow_from_seed_and_step(of: Search, job: Job, tmp_path: Path) -> None:
    tokenizer, spec = of.task.load_tokenizer(of.request.teacher.path), beyond(SPEC, micro_batch_size=3)
    batches, again = (of.task.step_batches(job, spec, tokenizer, tmp_path) for _ in range(2))
    module = DistillationModule(of.task, of.student(), 32)

    def losses(step_batches: object, step: int) -> list[float]:
        return [module(batch, of.teacher, spec)[0].item() for batch, _ in step_batches(step)]

    with torch.no_grad():
        assert losses(batches, 3) == losses(again, 3) != losses(batches, 4)
    assert sum(share for _, share in batches(5)) == pytest.approx(1)
    assert len(batches(5)) >= 3


@pytest.mark.parametrize("kept", [field.name for field in fields(LossWeights)])
def test_only_losses_that_weigh_something_are_computed(kept: str, of: Search, job: Job, tmp_path: Path) -> None:
    weights = LossWeights(**{**{field.name: 0.0 for field in fields(LossWeights)}, kept: 2.0})
    spec = beyond(SPEC, weights=weights)
    tokenizer = of.task.load_tokenizer(of.request.teacher.path)
    (batch, _), *_ = of.task.step_batches(job, spec, tokenizer, tmp_path)(0)
    calls: list[object] = []
    hook = of.teacher.base_model.register_forward_hook(lambda *_: calls.append(1))
    module = DistillationModule(of.task, of.student(), 32)
    if kept not in (*of.task.rules.output_losses, *OF_STATES):
        with pytest.raises(InvalidInputError, match=f"no loss of {kept}"):
            module(batch, of.teacher, spec)
        return hook.remove()
    values = StepLosses.of(module(batch, of.teacher, spec).detach())
    hook.remove()
    assert values.total == pytest.approx(2 * getattr(values, kept)) and values.total > 0
    assert len(calls) == (kept not in ("masked_lm", "labels"))


@pytest.mark.slow
def test_a_full_distillation_comes_nearer_to_the_teacher(of: Search, job: Job, tmp_path: Path) -> None:
    tokenizer, spec = of.task.load_tokenizer(of.request.teacher.path), beyond(SPEC, steps=30)
    run = DistillationRun(
        task=of.task,
        spec=spec,
        teacher=of.teacher,
        student=of.student(),
        tokenizer=tokenizer,
        batches=of.task.step_batches(job, spec, tokenizer, tmp_path / "packed"),
        folder=tmp_path / "run",
    )
    before = held_out_quality(of.task, run.student, of.data)
    distill(run, lambda *_: None)
    assert held_out_quality(of.task, run.student, of.data).loss_nats < before.loss_nats


def test_a_candidate_is_trained_to_the_same_numbers_each_time(of: Search) -> None:
    request = evaluate_task(of.request, SMALL, num_steps=12, hyperparameters={"learning_rate": 5e-3})
    first, again = (evaluate_candidate(request, of.teacher, of.data) for _ in range(2))
    assert first.sequence_losses_nats == again.sequence_losses_nats
    assert first.training_losses_nats == again.training_losses_nats
    assert first.loss_nats < held_out_quality(of.task, of.student(), of.data).loss_nats
    assert first.metrics.keys() == of.quality.metrics.keys()


def test_a_model_is_loaded_by_the_line_that_people_are_told(of: Search) -> None:
    line = of.task.rules.loaded_from(of.request.teacher.path)
    loaded = eval(line, {name: getattr(transformers, name) for name in ("pipeline", "AutoModelForMaskedLM")})
    assert type(getattr(loaded, "model", loaded)) is type(of.teacher)
    assert r'("a \"folder\""' in of.task.rules.loaded_from('a "folder"').replace("model=", "(")


def test_probes_are_texts_that_the_model_takes(of: Search) -> None:
    probes = of.task.probes(of.task.load_tokenizer(of.request.teacher.path))
    assert len({each["input_ids"].shape[1] for each in probes}) > 2
    with torch.no_grad():
        assert all(of.teacher(**each).logits.isfinite().all() for each in probes)


def test_what_a_model_says_of_a_text_is_shares_of_one(of: Search) -> None:
    answers = of.task.predict(Path(of.request.teacher.path), "Return the <mask> of the list.", 2)
    shares = [share for _, share in answers]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1 + 1e-6
