"""Score subsets of a teacher's layers without training: what is the teacher worth with only these?

First no student is built. The teacher's own layers are called one after another, at full width, and subsets that
begin with the same layers share the hidden states up to there: scoring every 3 of 12 layers takes 285 calls of a
layer in place of 660. The vocabulary head remains, once a subset, at masked positions only.

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
from ose.families.bert.model import architecture_of
from ose.tasks.fill_mask.forward import encode
from ose.tasks.fill_mask.held_out import held_out_quality
from ose.tasks.fill_mask.search_data import SearchData

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
        teacher: A frozen model of a class in `INHERITABLE_MODEL_TYPES`; left as it is.
        data: The search's held-out targets.
        calibration: The teacher's; None where the request's inheritance needs none.

    Returns:
        The plain scores, and behind them those of the subsets that were refitted; with the rules that keep them.
    """

    def measure(subsets: Sequence[Subset]) -> list[SubsetScore]:
        return [replace(score, rules=rules.get(score.layers, ())) for score in subset_scores(teacher, data, subsets)]

    total = teacher.config.num_hidden_layers
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
    )
    shape = replace(architecture_of(teacher), num_hidden_layers=len(layers))
    student = initial_student(teacher, shape, start)
    losses = held_out_quality(student, data, SCORED_SEQUENCES).sequence_losses_nats
    return replace(_score(layers, losses), is_refitted=True)


def subset_scores(teacher: PreTrainedModel, data: SearchData, subsets: Sequence[Subset]) -> list[SubsetScore]:
    """Cross-entropy between the teacher's distribution and that of each subset, in the order given."""
    losses: dict[Subset, list[float]] = {subset: [] for subset in subsets}
    rows = torch.arange(min(SCORED_SEQUENCES, len(data.held_out.input_ids)))
    with torch.inference_mode():
        for some in rows.split(_ROWS_AT_ONCE):
            teacher_probs = data.log_probs_of(some).exp().to(teacher.device)
            input_ids, positions = data.held_out.input_ids[some], data.held_out.positions[some]
            for subset, logits in _logits_of(teacher, input_ids, positions, subsets):
                picked = (teacher_probs * logits).sum(dim=-1)
                losses[subset] += (logits.logsumexp(dim=-1) - picked).double().mean(dim=1).tolist()
    return [_score(subset, losses[subset]) for subset in subsets]


def _logits_of(
    teacher: PreTrainedModel, input_ids: torch.Tensor, positions: torch.Tensor, subsets: Sequence[Subset]
) -> Iterator[tuple[Subset, torch.Tensor]]:
    """Logits (B, K, V) of each subset, in lexicographic order, so that neighbours share most of their layers."""
    input_ids, positions = input_ids.to(teacher.device), positions.to(teacher.device)
    whole = encode(teacher, input_ids)
    layers = teacher.base_model.encoder.layer
    states = [teacher.base_model.embeddings(input_ids=input_ids)]  # after the first 0, 1, ... layers of `previous`
    previous: Subset = ()
    for subset in sorted(set(subsets)):
        shared = _num_shared(previous, subset)
        del states[shared + 1 :]
        for layer in subset[shared:]:
            states.append(layers[layer](states[-1]))
        yield subset, replace(whole, states=states[-1]).logits(positions).float()
        previous = subset


def _num_shared(first: Subset, second: Subset) -> int:
    """How many layers two subsets begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))


def _score(subset: Subset, losses: Sequence[float]) -> SubsetScore:
    mean, stderr = mean_and_stderr(losses)
    return SubsetScore(layers=subset, loss_nats=mean, loss_stderr_nats=stderr)
