"""Score subsets of a teacher's layers without training: what is the teacher worth with only these?

First no student is built. The teacher's own layers are called one after another, at full width, and subsets that
begin with the same layers share the hidden states up to there: scoring every 3 of 12 layers takes 285 calls of a
layer in place of 660. The head remains, once a subset, at the positions that it reads.

Then the most promising subsets are started as students are: where layers are refitted to do without the others,
the order is another one, and the plain scores say little about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from transformers import PreTrainedModel

from ose.core.layer_subsets import (
    MAX_REFITTED,
    Subset,
    SubsetScore,
    most_promising,
    rule_subsets,
    score_subsets,
)
from ose.core.measurement import mean_and_stderr
from ose.core.messages import LayerSubsetsRequest
from ose.extraction.calibration import Calibration
from ose.extraction.initial import Start, initial_student
from ose.families.models import architecture_of, parts_of
from ose.families.parts import Inputs, Parts, attention_bias
from ose.tasks.base import SearchData, Task
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task
from ose.training.positions import at_positions

SCORED_SEQUENCES = 32
"""Held-out sequences that subsets are scored on: untrained subsets lie nats apart, and the best ones are judged on
all of them once they are trained."""

_ROWS_AT_ONCE = 16


def score_layer_subsets(
    request: LayerSubsetsRequest, teacher: PreTrainedModel, data: SearchData, calibration: Calibration | None = None
) -> tuple[SubsetScore, ...]:
    """Score the subsets of `request.keep` layers, or the promising ones if there are very many.

    Args:
        request: How many layers to keep.
        teacher: A frozen model of a family that OSE knows; left as it is.
        data: The search's held-out targets.
        calibration: The teacher's; None where the request's inheritance needs none.

    Returns:
        The plain scores, and behind them those of the subsets that were refitted; with the rules that keep them.
    """

    def measure(subsets: Sequence[Subset]) -> list[SubsetScore]:
        scores = subset_scores(task, teacher, data, subsets)
        return [replace(score, rules=rules.get(score.layers, ())) for score in scores]

    task, total = load_task(request.teacher.task), teacher.config.num_hidden_layers
    rules = rule_subsets(total, request.keep, {} if calibration is None else calibration.layer_importance())
    plain = score_subsets(total, request.keep, measure, also=list(rules))
    if request.inheritance.correction == "none":
        return tuple(plain)
    worth = {*(score.layers for score in most_promising(plain, request.keep, MAX_REFITTED)), *rules}
    refitted = (_refitted_score(request, teacher, data, calibration, layers) for layers in sorted(worth))
    return (*plain, *(replace(score, rules=rules.get(score.layers, ())) for score in refitted))


def _refitted_score(
    request: LayerSubsetsRequest,
    teacher: PreTrainedModel,
    data: SearchData,
    calibration: Calibration | None,
    layers: Subset,
) -> SubsetScore:
    start = Start(
        initialization="inherit",
        inheritance=replace(request.inheritance, layers=layers),
        seed=0,
        calibration=calibration,
        task=request.teacher.task,
    )
    shape = replace(architecture_of(teacher), num_hidden_layers=len(layers))
    student = initial_student(teacher, shape, start)
    losses = held_out_quality(load_task(request.teacher.task), student, data, SCORED_SEQUENCES).sequence_losses_nats
    return replace(_score(layers, losses), is_refitted=True)


def subset_scores(
    task: Task, teacher: PreTrainedModel, data: SearchData, subsets: Sequence[Subset]
) -> list[SubsetScore]:
    """The distance of each subset from the whole teacher, in the order given."""
    parts, losses = parts_of(teacher, task.rules.name), {subset: list[float]() for subset in subsets}
    rows = torch.arange(min(SCORED_SEQUENCES, len(data.held_out.input_ids)))
    with torch.inference_mode():
        for some in rows.split(_ROWS_AT_ONCE):
            losses_of = task.held_out_losses(data, some, teacher.device)
            inputs = {name: each.to(teacher.device) for name, each in data.held_out.inputs(some).items()}
            positions = data.held_out.positions[some].to(teacher.device)
            for subset, states in _states_of(parts, inputs, subsets):
                losses[subset] += losses_of(parts.head.run(at_positions(states, positions))).tolist()
    return [_score(subset, losses[subset]) for subset in subsets]


def _states_of(parts: Parts, inputs: Inputs, subsets: Sequence[Subset]) -> Iterator[tuple[Subset, torch.Tensor]]:
    """Last states (B, T, H) of each subset, in lexicographic order, so that neighbours share most of their layers."""
    bias = attention_bias(inputs)
    states = [parts.embeddings.run(**inputs)]  # after the first 0, 1, ... layers of `previous`
    previous: Subset = ()
    for subset in sorted(set(subsets)):
        shared = _num_shared(previous, subset)
        del states[shared + 1 :]
        for layer in subset[shared:]:
            states.append(parts.blocks[layer].run(states[-1], bias))
        yield subset, states[-1]
        previous = subset


def _num_shared(first: Subset, second: Subset) -> int:
    """How many layers two subsets begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))


def _score(subset: Subset, losses: Sequence[float]) -> SubsetScore:
    mean, stderr = mean_and_stderr(losses)
    return SubsetScore(layers=subset, loss_nats=mean, loss_stderr_nats=stderr)
