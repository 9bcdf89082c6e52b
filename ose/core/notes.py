"""What people should know of a job beside its figures, a line each: told when it is submitted, on board and card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ose.core.job import ItemFacts, Job, TeacherFacts
from ose.core.shown import NAME, shown
from ose.core.spec import JobSpec

_FEW = 8
"""Labels that a line lists."""


def job_notes(job: Job) -> tuple[str, ...]:
    """The lines, none of which stops a job."""
    doubts = job.teacher_quality.doubts if job.teacher_quality else ()
    return (
        *_of_teacher(job.teacher),
        *(f"the teacher was taken as it is, although {doubt}" for doubt in doubts),
        *(_of_items(job.spec, job.corpus.items) if job.corpus.items else ()),
    )


def _of_teacher(teacher: TeacherFacts) -> Iterator[str]:
    if not teacher.can_be_inherited:
        family = teacher.architecture.family.upper()
        yield (
            f"the teacher is a {teacher.model_type} model, from which students of {family}'s build inherit nothing: "
            "they start at random, and need many more steps for the same quality"
        )


def _of_items(spec: JobSpec, items: ItemFacts) -> Iterator[str]:
    if items.num_bad:
        yield f"{items.num_bad:,} of {items.num_rows:,} rows read so far cannot be used and are left out"
    if items.median_tokens is not None:
        longer = spec.latency.long_sequence_length
        yield (
            f"half of the held-out items have at most {items.median_tokens} tokens, 95 % at most {items.p95_tokens}; "
            f"latency is measured at {spec.latency.num_tokens}{'' if longer is None else f' and {longer}'}"
        )
    else:
        yield (
            "the teacher's tokenizer is a SentencePiece model alone, whose tokens are not counted here: latency is "
            f"measured at {spec.latency.num_tokens} tokens unless latency.sequence_length says another"
        )
    if items.train_cut_share or items.held_out_cut_share:
        yield (
            f"{items.train_cut_share:.1%} of the training items and {items.held_out_cut_share:.1%} of the held-out "
            f"items are longer than corpus.sequence_length, {spec.corpus.sequence_length} tokens, and are cut at the "
            "end, of a pair the longer text first"
        )
    if items.overlap_share:
        yield f"{items.overlap_share:.1%} of the held-out items also stand in training: new text is harder than these"
    if items.unseen_labels:
        yield f"no held-out item has the {_listed(items.unseen_labels)}: what students make of it is not measured"


def _listed(labels: Sequence[str]) -> str:
    names = ", ".join(f"'{shown(each, NAME)}'" for each in labels[:_FEW])
    more = f" and {len(labels) - _FEW} more" if len(labels) > _FEW else ""
    return f"label {names}" if len(labels) == 1 else f"labels {names}{more}"
