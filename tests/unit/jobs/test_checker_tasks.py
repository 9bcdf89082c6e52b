"""What a checker has found out is the same when it has come back as JSON.

Tests ose/jobs/submit_remote.py too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import builders
import pytest
from pydantic_core import to_json

from ose.core.architecture import EmbeddingShape
from ose.core.job import CorpusFacts, ItemFacts, TeacherFacts, TextFacts
from ose.core.spec import ExtendedCandidate, Extension, Hyperparameters
from ose.jobs.checker_tasks import Question, to_prepared
from ose.jobs.submit_remote import PreparedJob
from ose.store.new_rows import NewJob
from ose.store.service_base import Submission

ALWAYS_FULL = (
    PreparedJob, Submission, NewJob, TeacherFacts, CorpusFacts, ItemFacts, TextFacts, EmbeddingShape, Extension,
    ExtendedCandidate,
)  # fmt: skip


def prepared() -> PreparedJob:
    """One in which every field of the facts is another than by default."""
    extended = ExtendedCandidate(
        candidate=3,
        architecture=builders.architecture(),
        hyperparameters=Hyperparameters(learning_rate=1e-3, batch_size=7),
        layers=(0, 2),
        phases=(20, 50),
    )
    corpus = CorpusFacts(
        train=("/a/text.txt", "/a/more.csv"),
        validation=("/a/v.txt",),
        digest="c" * 64,
        size_bytes=2**40,
        root="/a",
        tables=True,
        general=("/g",),
        left_out=("/a/empty.txt",),
        texts=TextFacts(
            num_read=7,
            num_without_text=1,
            tokens_per_word=1.5,
            unknown_share=0.125,
            piece_share=0.25,
            overlap_share=0.375,
            levelled_overlap_share=0.5,
            num_compared=6,
        ),
        items=ItemFacts(
            num_rows=90,
            num_bad=1,
            mean_tokens=11.25,
            median_tokens=10,
            p95_tokens=30,
            train_cut_share=0.125,
            held_out_cut_share=0.25,
            overlap_share=0.5,
            unseen_labels=("joy",),
        ),
    )
    embedding = EmbeddingShape(vocab_size=1000, max_position_embeddings=130, type_vocab_size=2, num_labels=3)
    new = builders.new_job(
        spec=builders.job_spec(
            name="Überschrift \u202e[/x]", extends=Extension(job="job-0", candidates=(extended,), data_steps=(5, 9))
        ),
        teacher=builders.teacher_facts(embedding=embedding, task="question_answering"),
        corpus=corpus,
        owner="1f0c22ab",
        space_size=2**40,
    )
    return PreparedJob(
        submission=Submission(caller="1f0c22ab", key="nightly", request_hash="5" * 64), known="job-9", new=new
    )


def parts(value: Any) -> Iterator[Any]:
    """A value, and all that it is made of."""
    yield value
    inner = value if isinstance(value, tuple) else ()
    if is_dataclass(value):
        inner = tuple(getattr(value, field.name) for field in fields(value))
    for each in inner:
        yield from parts(each)


def test_every_field_survives_the_trip() -> None:
    assert to_prepared(to_json(prepared(), inf_nan_mode="constants")) == prepared()


@pytest.mark.parametrize("kind", ALWAYS_FULL)
def test_the_trip_is_made_with_every_field(kind: type) -> None:
    """One that was forgotten here could be forgotten on the way as well, and come back as its default."""
    found = [part for part in parts(prepared()) if type(part) is kind]
    assert found
    for field in fields(kind):
        default = None if field.default is MISSING else field.default
        assert all(getattr(each, field.name) != default for each in found), field.name


def test_a_question_is_one_line_and_a_body() -> None:
    asked = Question(task="submit", database="d", home="h", arguments={"root": None, "key": "a\nb"}, body=b"{}\n\n")
    assert Question.of(asked.to_bytes()) == asked
