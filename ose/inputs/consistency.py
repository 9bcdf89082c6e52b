"""What a job asks for against what its teacher can serve, before anything is stored or run."""

from __future__ import annotations

import re
from dataclasses import fields

from ose.core.architecture import Architecture
from ose.core.job import TeacherFacts
from ose.core.layer_choice import LayerChoice, kept_layers
from ose.core.measurement import LatencyProtocol
from ose.core.recipe import DistillationSpec, relation_place
from ose.core.search_space import SearchSpace
from ose.core.spec import Columns, CorpusSpec, JobSpec
from ose.errors import InvalidInputError, JobFileError, SearchSpaceError, TeacherError
from ose.families.registry import known_family
from ose.inputs.recipes import check_losses
from ose.inputs.space_size import require_small_search
from ose.limits import require_within
from ose.runtimes.base import RuntimeRules
from ose.runtimes.registry import runtime_package, runtime_rules
from ose.tasks.registry import task_rules
from ose.tasks.rules import TaskRules

_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_COLUMNS = tuple(field.name for field in fields(Columns))
"""Of a corpus, which a task may read."""


def check_job(spec: JobSpec, teacher: TeacherFacts) -> None:
    """Refuse a job whose parts are fine one by one but not together.

    Raises:
        JobFileError: The corpus has columns that the task does not read, or lacks one that it does, a sequence is
            longer than the teacher's positions, the latency protocol asks for what there is not, the recipe of the
            distillation is not for the task, or a number is above the operator's limit.
        SearchSpaceError: Students cannot start from this teacher's weights, or not from the layers named, or the
            space is too large.
    """
    check_workers_and_steps(spec)
    rules = task_rules(teacher.task)
    _check_columns(spec.corpus, rules)
    check_losses(spec.distillation, rules, spec.corpus)
    check_sequence_length("corpus.sequence_length", spec.corpus.sequence_length, teacher)
    for name in ("sequence_length", "long_sequence_length"):
        length = getattr(spec.latency, name)
        if length is not None:
            check_sequence_length(f"latency.{name}", length, teacher)
    check_latency_protocol(spec.latency)
    if spec.search.initialization == "inherit":
        _check_inheritance(spec.space, teacher)
        _check_layers(spec, teacher)
    elif spec.space.layers:
        raise SearchSpaceError(
            f"space {spec.space.name!r} has layers to keep, but search.initialization is random and keeps none; "
            "leave out the layers, or use search.initialization: inherit"
        )
    require_small_search(spec, teacher)


def check_workers_and_steps(spec: JobSpec) -> None:
    """Refuse what the machine's owner does not allow.

    Raises:
        JobFileError: A number is above the operator's limit, whose setting the message names.
    """
    workers, search = spec.workers, spec.search
    require_within("max_workers", workers.count, f"workers.count is {workers.count:,}", JobFileError)
    require_within("max_threads", workers.cpus, f"workers.cpus is {workers.cpus:,}", JobFileError)
    most = search.steps * max(theta.batch_size for theta in search.hyperparameters)
    what = f"search.steps {search.steps:,} times batch_size is {most:,} sequences"
    require_within("max_sequences", most, what, JobFileError)


def check_latency_protocol(protocol: LatencyProtocol) -> None:
    """Refuse a protocol that no latency can be measured by.

    Raises:
        JobFileError: There are too many threads, the device or the runtime is unknown, the runtime has not what it
            needs, or it does not run on the device or in the precision.
    """
    require_within("max_threads", protocol.threads, f"latency.threads is {protocol.threads:,}", JobFileError)
    if not _DEVICE.fullmatch(protocol.device):
        raise JobFileError(f"latency.device must be cpu, cuda or cuda:N, not {protocol.device!r}")
    runtime = _runtime(protocol.runtime)
    if protocol.device.partition(":")[0] not in runtime.devices:
        devices = " and ".join(runtime.devices)
        raise JobFileError(f"latency.device is {protocol.device}, but the runtime {runtime.name} runs on {devices}")
    if protocol.dtype not in runtime.precisions:
        raise JobFileError(f"latency.dtype must be one of {', '.join(runtime.precisions)}, not {protocol.dtype!r}")


def _runtime(name: str) -> RuntimeRules:
    try:
        rules = runtime_rules(runtime_package(name))
    except InvalidInputError as error:
        raise JobFileError(f"latency.{error}") from error
    if missing := rules.missing():
        raise JobFileError(f"latency.runtime is {name}, but {missing}")
    return rules


def check_sequence_length(key: str, sequence_length: int, teacher: TeacherFacts) -> None:
    """Refuse a sequence that the teacher has no positions for.

    Raises:
        JobFileError: It is too long; `key` says where that was asked for.
    """
    if sequence_length > teacher.max_sequence_length:
        raise JobFileError(
            f"{key} is {sequence_length}, but the teacher takes at most {teacher.max_sequence_length} tokens"
        )


def check_recipe(spec: DistillationSpec, teacher: TeacherFacts, student: Architecture, corpus: CorpusSpec) -> None:
    """Refuse a distillation whose losses do not fit this task, teacher and student, before anything is loaded.

    Raises:
        InvalidInputError: Relations are asked for, and their layer or heads do not fit.
        JobFileError: The task cannot follow the recipe on this corpus; see `check_losses`.
        SearchSpaceError: The layers named are not the teacher's, or not as many as the student has.
        TeacherError: Relations are asked of a teacher whose attention no family knows.
    """
    check_losses(spec, task_rules(teacher.task), corpus)
    if spec.layers is not None:
        _check_choice("distillation.", spec.layers, teacher, student.num_hidden_layers)
    if not spec.weights.relations:
        return
    if known_family(teacher.model_type) is None:
        raise TeacherError(
            f"relations need queries, keys and values, which OSE does not find in a {teacher.model_type} teacher; "
            "set distillation.weights.relations to 0"
        )
    relation_place(spec, teacher.architecture, student)


def _check_columns(corpus: CorpusSpec, rules: TaskRules) -> None:
    if unknown := [column for column in rules.columns if column not in _COLUMNS]:
        raise JobFileError(
            f"the task {rules.name} reads {' and '.join(unknown)} beside the text; a job's corpus has "
            f"{', '.join(_COLUMNS)} alone"
        )
    for name in corpus.columns.named():
        if name not in rules.columns:
            raise JobFileError(
                f"corpus.columns.{name} is given, but the task {rules.name} reads {', '.join(rules.columns)} alone"
            )
    if corpus.general and not rules.reads_rows:
        raise JobFileError(f"corpus.general is given, but all text of the task {rules.name} is without labels")
    if corpus.skip_bad_rows and not rules.reads_rows:
        raise JobFileError(f"corpus.skip_bad_rows is given, but the task {rules.name} reads documents, not rows")


def _check_inheritance(space: SearchSpace, teacher: TeacherFacts) -> None:
    """Layers, channels and neurons can be left out of the teacher, not added to it."""
    if not teacher.can_be_inherited:
        raise SearchSpaceError(
            f"students cannot start from this {teacher.model_type} teacher's weights; use search.initialization: random"
        )
    for axis, largest in _largest(space).items():
        bound = getattr(teacher.architecture, axis)
        if largest > bound:
            raise SearchSpaceError(
                f"space {space.name!r} has {axis} up to {largest}, but its teacher has {bound}, and students start "
                "from its weights; leave out the larger values, or use search.initialization: random"
            )


def _check_layers(spec: JobSpec, teacher: TeacherFacts) -> None:
    """Layers named one by one must be the teacher's, and the job's own list must suit every student."""
    asked, axis = spec.search.inheritance.layers, spec.space.layers
    for layers in axis:
        _check_choice(f"space {spec.space.name!r}: ", layers, teacher)
    for depth in () if axis else spec.space.num_hidden_layers:
        _check_choice("search.inheritance.", asked, teacher, depth)
    if spec.distillation.layers is not None:
        _check_choice("distillation.", spec.distillation.layers, teacher)


def _check_choice(place: str, layers: LayerChoice, teacher: TeacherFacts, depth: int | None = None) -> None:
    if isinstance(layers, str):
        return
    try:
        kept_layers(layers, teacher.architecture.num_hidden_layers, depth or len(layers))
    except InvalidInputError as error:
        raise SearchSpaceError(f"{place}{error}") from error


def _largest(space: SearchSpace) -> dict[str, int]:
    """The largest value on each axis that matters; a hidden size that no heads divide has no member."""
    divided = [h for h in space.hidden_size if any(h % a == 0 for a in space.num_attention_heads)]
    return {
        "num_hidden_layers": max(space.num_hidden_layers),
        "hidden_size": max(divided),
        "intermediate_size": max(space.intermediate_size),
    }
