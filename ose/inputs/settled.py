"""What a job leaves open, settled by its task and its text before it is frozen."""

from __future__ import annotations

from dataclasses import replace

from ose.core.job import CorpusFacts
from ose.core.spec import JobSpec
from ose.tasks.base import TaskRules


def settled(spec: JobSpec, rules: TaskRules, corpus: CorpusFacts) -> JobSpec:
    """A job in which every number stands that follows from its task and its text; what it says itself stays.

    Items are timed at the median of their lengths, or at the longest where these are not known.

    Args:
        spec: As it was asked for.
        rules: Of its task.
        corpus: Its text.
    """
    held_out = spec.search.held_out_sequences or rules.held_out_items
    length = spec.latency.sequence_length or _usual_length(spec, rules, corpus)
    return replace(
        spec,
        search=replace(spec.search, held_out_sequences=held_out),
        latency=replace(spec.latency, sequence_length=length),
    )


def _usual_length(spec: JobSpec, rules: TaskRules, corpus: CorpusFacts) -> int:
    if not rules.reads_rows:
        return spec.latency.num_tokens
    known = corpus.items.median_tokens if corpus.items else None
    return known or spec.corpus.sequence_length
