from __future__ import annotations

from dataclasses import replace

import builders

from ose.core.job import CorpusFacts, ItemFacts
from ose.core.measurement import LatencyProtocol
from ose.core.spec import SearchSpec
from ose.inputs.job_file import spec_hash
from ose.inputs.settled import settled
from ose.tasks.registry import task_rules

CORPUS = CorpusFacts(train=("/text.txt",), validation=(), digest="c", size_bytes=1)


def with_median(median: int | None) -> CorpusFacts:
    items = ItemFacts(
        num_rows=9,
        num_bad=0,
        mean_tokens=None if median is None else 9.5,
        median_tokens=median,
        p95_tokens=None if median is None else 40,
        train_cut_share=None if median is None else 0.0,
        held_out_cut_share=None if median is None else 0.0,
        overlap_share=None,
        unseen_labels=(),
    )
    return replace(CORPUS, items=items)


def numbers(task: str, corpus: CorpusFacts, **changes: object) -> tuple[int | None, ...]:
    spec = settled(builders.job_spec(**changes), task_rules(task), corpus)
    return spec.search.held_out_sequences, spec.latency.sequence_length, spec.latency.long_sequence_length


def test_masked_language_models_have_what_they_always_had() -> None:
    assert numbers("fill_mask", CORPUS) == (128, 128, None)
    before = builders.job_spec()
    assert spec_hash(settled(before, task_rules("fill_mask"), CORPUS)) == spec_hash(before)


def test_items_are_timed_at_the_median_and_the_95th_percentile_of_their_lengths() -> None:
    assert numbers("text_classification", with_median(11)) == (2000, 11, 40)
    longer = LatencyProtocol(long_sequence_length=64)
    assert numbers("text_classification", with_median(11), latency=longer) == (2000, 11, 64)


def test_items_of_one_length_are_timed_once() -> None:
    assert numbers("text_classification", with_median(40)) == (2000, 40, None)


def test_lengths_that_are_not_known_are_the_longest() -> None:
    assert numbers("text_classification", with_median(None)) == (2000, 128, None)


def test_what_a_job_says_itself_stays() -> None:
    said = {"search": SearchSpec(held_out_sequences=50), "latency": LatencyProtocol(sequence_length=64)}
    assert numbers("text_classification", with_median(11), **said) == (50, 64, None)
    assert numbers("fill_mask", CORPUS, **said) == (50, 64, None)


def test_a_job_is_another_one_with_another_number() -> None:
    spec = builders.job_spec()
    settle = [settled(spec, task_rules("text_classification"), with_median(median)) for median in (11, 12)]
    assert len({spec_hash(each) for each in settle}) == 2
