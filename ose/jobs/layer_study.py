"""Which of a teacher's layers to keep: rank the subsets of one size without training them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from ose.core.job import Job, JobStatus, TeacherFacts
from ose.core.layer_subsets import LayerQuestion, Subset, SubsetScore, most_promising
from ose.core.score import ScoreRule
from ose.core.search_space import SearchSpace
from ose.core.shown import shown
from ose.core.spec import JobSpec, Limits
from ose.errors import ConflictError, InvalidInputError
from ose.inputs.consistency import check_job
from ose.inputs.job_file import spec_hash
from ose.inputs.recipes import with_recipe_of
from ose.inputs.teacher_source import locate_teacher
from ose.inputs.teachers import inspect_teacher
from ose.jobs.layer_report import LayerReport, layer_report
from ose.jobs.submit import settled_parts, submit_job
from ose.store.base import Store
from ose.tasks.registry import task_rules

Score = Callable[[Job, int], Sequence[SubsetScore]]
"""Scores the subsets of a size without training, on the data of a job that need not be stored."""

_BY_LOSS = ScoreRule(formula="w", exponents=(0.0, 0.0, 1.0))
"""Subsets of one size have one parameter count and one latency; what those are must not hide the losses."""


def rank_layers(
    store: Store,
    spec: JobSpec,
    question: LayerQuestion,
    score: Score,
    run: Callable[[str], Job],
    now: Callable[[], datetime],
) -> LayerReport:
    """Score subsets of layers without training, then train the best ones and the rules' as a search job.

    The same question again finds that job, and goes on with it or reads it.

    Args:
        store: Where the job stands.
        spec: The job whose teacher, text and training count; its space and limits do not.
        question: What to compare.
        score: Scores subsets.
        run: Runs a job to its end.
        now: The clock.

    Raises:
        InvalidInputError: Teacher, text or question cannot be used.
        ConflictError: The job did not end with a trained subset.
    """
    draft = _draft(spec, question, now)
    check_job(draft.spec, draft.teacher)
    scores = score(draft, question.keep)
    space = replace(draft.spec.space, layers=_worth_training(scores, question))
    asked = replace(draft.spec, space=space)
    job = _known(store, replace(draft, spec_hash=spec_hash(asked))) or submit_job(store, asked, now)
    if job.status is not JobStatus.SUCCEEDED:
        job = run(job.id)
    if job.status is not JobStatus.SUCCEEDED:
        reason = f": {shown(job.failure.message)}" if job.failure else ""
        raise ConflictError(f"job {job.id} {job.status.lower()}{reason}; the same command tries again")
    return layer_report(job, store.candidates(job.id), scores)


def _draft(spec: JobSpec, question: LayerQuestion, now: Callable[[], datetime]) -> Job:
    """The job without its layers, which are not known yet. It is never stored."""
    folder = locate_teacher(spec.teacher)
    teacher = inspect_teacher(spec.teacher, lambda _: folder, spec.task)
    rules, depth = task_rules(teacher.task), teacher.architecture.num_hidden_layers
    if not 1 <= question.keep < depth:
        raise InvalidInputError(f"the teacher has {depth} layers; keep 1 to {depth - 1} of them, not {question.keep}")
    asked = with_recipe_of(rules, _comparison(spec, teacher, question))
    comparison, corpus = settled_parts(asked, rules, folder)
    return Job(
        id="draft",
        status=JobStatus.PENDING,
        spec=comparison,
        spec_hash="",
        teacher=teacher,
        corpus=corpus,
        created_at=now(),
    )


def _comparison(spec: JobSpec, teacher: TeacherFacts, question: LayerQuestion) -> JobSpec:
    """A search of the teacher's shape cut to `keep` layers, with nothing in it that could hide the losses."""
    name = f"{spec.name}-layers-{question.keep}"
    shape = teacher.architecture
    search = replace(
        spec.search,
        strategy="ose",
        epsilon=1,
        num_candidates=None,
        steps=question.steps or spec.search.steps,
        hyperparameters=spec.search.hyperparameters[:1],
        initialization="inherit",
        inheritance=replace(spec.search.inheritance, layers="elimination"),  # the rule that has to be asked for
    )
    return replace(
        spec,
        name=name,
        space=SearchSpace(
            name=name,
            num_hidden_layers=(question.keep,),
            num_attention_heads=(shape.num_attention_heads,),
            hidden_size=(shape.hidden_size,),
            intermediate_size=(shape.intermediate_size,),
        ),
        search=search,
        score=_BY_LOSS,
        limits=Limits(),
        references="off",
        distillation=replace(spec.distillation, layers=None),
    )


def _worth_training(scores: Sequence[SubsetScore], question: LayerQuestion) -> tuple[Subset, ...]:
    """The best subsets, and what the rules keep."""
    best = {score.layers for score in most_promising(scores, question.keep, question.top)}
    return tuple(best | {score.layers for score in scores if score.rules and len(score.layers) == question.keep})


def _known(store: Store, draft: Job) -> Job | None:
    """The newest job that asks for the same of the same teacher and text."""
    content = _content(draft)
    return next((job for job in store.jobs(spec_hash=draft.spec_hash) if _content(job) == content), None)


def _content(job: Job) -> tuple[str, str, bool]:
    return job.teacher.digest, job.corpus.digest, job.corpus.tables
