"""What people should know of a job beside its figures, a line each: told when it is submitted, on board and card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from ose.core.job import CorpusFacts, ItemFacts, Job, TeacherFacts, TextFacts
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
        *_of_files(job.corpus),
        *(_of_items(job.spec, job.corpus.items) if job.corpus.items else ()),
        *(_of_texts(job.corpus.texts) if job.corpus.texts else ()),
    )


def _of_teacher(teacher: TeacherFacts) -> Iterator[str]:
    if not teacher.can_be_inherited:
        family = teacher.architecture.family.upper()
        yield (
            f"the teacher is a {teacher.model_type} model, from which students of {family}'s build inherit nothing: "
            "they start at random, and need many more steps for the same quality"
        )


def _of_files(corpus: CorpusFacts) -> Iterator[str]:
    if corpus.left_out:
        names = ", ".join(shown(PurePath(each).name, NAME) for each in corpus.left_out[:_FEW])
        more = f" and {len(corpus.left_out) - _FEW} more" if len(corpus.left_out) > _FEW else ""
        yield f"{len(corpus.left_out):,} of the files named hold no text and are left out: {names}{more}"


def _of_texts(texts: TextFacts) -> Iterator[str]:
    if texts.num_without_text:
        yield f"{texts.num_without_text:,} of {texts.num_read:,} records read so far have no text and are left out"
    if texts.tokens_per_word is not None:
        yield (
            f"the teacher's tokenizer makes {texts.tokens_per_word:.1f} tokens of a word of the training text; "
            f"{texts.unknown_share:.1%} of them are unknown to it, {texts.piece_share:.1%} single characters or bytes"
        )
    yield (
        f"{texts.overlap_share:.1%} of the held-out texts also stand in the training text as they are, "
        f"{texts.levelled_overlap_share:.1%} with case and blanks levelled ({texts.num_compared:,} training texts were "
        "looked through)"
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
