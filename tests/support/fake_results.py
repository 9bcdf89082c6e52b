"""What comes out of each kind of task where nothing is computed."""

from __future__ import annotations

from itertools import combinations

import builders

from ose.core.layer_subsets import Subset, SubsetScore, rule_subsets
from ose.core.measurement import Metric
from ose.core.messages import (
    CalibrationRequest,
    DataRequest,
    DataSummary,
    EvaluationRequest,
    LayerSubsetsRequest,
    ReferenceRequest,
    Request,
    Result,
    SavedModelRequest,
    TargetsRequest,
)
from ose.core.reference import Reference


def result_of(task: Request) -> Result:
    match task:
        case DataRequest():
            return DataSummary(num_sequences=task.num_sequences, held_out_sequences=task.held_out_sequences)
        case CalibrationRequest() | SavedModelRequest():
            return None
        case TargetsRequest():
            return builders.teacher_quality() if task.shard is None else None
        case LayerSubsetsRequest():
            return tuple(subset_score(layers) for layers in combinations(range(4), task.keep))
        case ReferenceRequest():
            metrics = {"accuracy": Metric(value=0.6, stderr=0.02)}
            return Reference(name=task.name, learns=task.learns, loss_nats=1.0, loss_stderr_nats=0.1, metrics=metrics)
        case EvaluationRequest():
            return builders.evaluation(num_steps=task.num_steps)


def subset_score(layers: Subset) -> SubsetScore:
    """Of four layers: the lower, the better."""
    rules = rule_subsets(4, len(layers), {}).get(layers, ())
    return SubsetScore(layers=layers, loss_nats=float(sum(layers)), loss_stderr_nats=0.1, rules=rules)
