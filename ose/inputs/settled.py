"""What a job leaves open, settled by its task and its text before it is frozen."""

from __future__ import annotations

from dataclasses import replace

from ose.core.job import CorpusFacts
from ose.core.measurement import LatencyProtocol
from ose.core.spec import JobSpec
from ose.tasks.rules import TaskRules


def settled(spec: JobSpec, rules: TaskRules, corpus: CorpusFacts) -> JobSpec:
    """A job in which every number stands that follows from its task and its text; what it says itself stays.

    Items are timed at the median of their lengths, and at their 95th percentile; where these are not known, at the
    longest that there can be.

    Args:
        spec: As it was asked for.
        rules: Of its task.
        corpus: Its text.
    """
    hyperparameters = tuple(
        replace(theta, learning_rate=theta.learning_rate or rules.learning_rate)
        for theta in spec.search.hyperparameters
    )
    search = replace(spec.search, held_out_sequences=held_out_items(spec, rules), hyperparameters=hyperparameters)
    return replace(spec, search=search, latency=_settled_lengths(spec, rules, corpus))


def held_out_items(spec: JobSpec, rules: TaskRules) -> int:
    """Items that candidates are judged on."""
    return spec.search.held_out_sequences or rules.held_out_items


def _settled_lengths(spec: JobSpec, rules: TaskRules, corpus: CorpusFacts) -> LatencyProtocol:
    latency, items = spec.latency, corpus.items
    if latency.sequence_length is not None:
        return latency
    if not rules.reads_rows:
        return replace(latency, sequence_length=latency.num_tokens)
    if items is None or items.median_tokens is None:
        return replace(latency, sequence_length=spec.corpus.sequence_length)
    longer = items.p95_tokens if items.p95_tokens != items.median_tokens else None
    return replace(
        latency,
        sequence_length=items.median_tokens,
        long_sequence_length=latency.long_sequence_length or longer,
    )
