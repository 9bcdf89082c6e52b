from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders

from ose.core.job import ItemFacts, Job, JobStatus
from ose.core.measurement import LatencyProtocol
from ose.core.notes import job_notes

ITEMS = ItemFacts(
    num_rows=900,
    num_bad=0,
    mean_tokens=12.5,
    median_tokens=11,
    p95_tokens=33,
    train_cut_share=0.0,
    held_out_cut_share=0.0,
    overlap_share=None,
    unseen_labels=(),
)


def notes(items: ItemFacts | None = None, teacher: dict[str, Any] | None = None, **changes: Any) -> tuple[str, ...]:
    new = builders.new_job()
    values = {name: getattr(new, name) for name in ("id", "spec", "spec_hash", "corpus", "created_at")}
    values["corpus"] = replace(values["corpus"], items=items)
    values["spec"] = replace(values["spec"], latency=LatencyProtocol(sequence_length=11, long_sequence_length=33))
    facts = builders.teacher_facts(**(teacher or {}))
    return job_notes(Job(**{**values, "teacher": facts, "status": JobStatus.PENDING, **changes}))


def test_nothing_is_told_of_documents_and_a_teacher_of_a_known_family() -> None:
    assert notes() == ()


def test_lengths_are_told_of_items() -> None:
    assert notes(ITEMS) == (
        "half of the held-out items have at most 11 tokens, 95 % at most 33; latency is measured at 11 and 33",
    )


def test_each_doubt_about_the_items_has_a_line() -> None:
    told = notes(
        replace(
            ITEMS,
            num_bad=3,
            train_cut_share=0.02,
            held_out_cut_share=0.03,
            overlap_share=0.25,
            unseen_labels=("joy", "rage"),
        )
    )
    assert told[0] == "3 of 900 rows read so far cannot be used and are left out"
    assert told[2].startswith("2.0% of the training items and 3.0% of the held-out items are longer than")
    assert "pair the longer text first" in told[2]
    assert told[3].startswith("25.0% of the held-out items also stand in training")
    assert told[4].startswith("no held-out item has the labels 'joy', 'rage'")


def test_a_hundred_labels_are_not_listed() -> None:
    [_, told] = notes(replace(ITEMS, unseen_labels=tuple(f"intent-{n}" for n in range(100))))
    assert "'intent-7' and 92 more" in told and "'intent-8'" not in told


def test_tokens_that_were_not_counted_are_told() -> None:
    unknown = {"mean_tokens": None, "median_tokens": None, "p95_tokens": None}
    shares = {"train_cut_share": None, "held_out_cut_share": None}
    [told] = notes(replace(ITEMS, **unknown, **shares))
    assert "SentencePiece" in told and "11 tokens" in told


def test_what_a_teacher_of_another_build_costs_is_told() -> None:
    [told] = notes(teacher={"model_type": "deberta-v2", "can_be_inherited": False})
    assert "deberta-v2" in told and "start at random" in told


def test_a_teacher_that_was_taken_as_it_is_stays_in_doubt() -> None:
    [told] = notes(teacher_quality=replace(builders.teacher_quality(), doubts=("it answers 'no' to all 9 items",)))
    assert told == "the teacher was taken as it is, although it answers 'no' to all 9 items"
