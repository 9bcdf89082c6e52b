"""The verbs of `ose` in Python: where jobs are submitted, run and read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from ose import composition
from ose.access.gate import must_ask
from ose.access.token_keeper import TokenKeeper
from ose.access.token_marker import TokenMarker
from ose.artifacts.private import close_to_others
from ose.coordinator.coordinator import Coordinator
from ose.coordinator.layer_stage import layer_scores
from ose.core.clock import utc_now
from ose.core.cost import JobCost
from ose.core.exports import ExportSummary
from ose.core.finetuning import FinetuningReport, FinetuningSpec, HeadRequest
from ose.core.job import Distillation, Job
from ose.core.layer_subsets import LayerQuestion
from ose.core.progress import Progress, Silence
from ose.core.search_space import SearchSpace
from ose.core.spec import CorpusSpec, JobSpec
from ose.inputs.finetuning import finished, inspect_finetuning
from ose.inputs.job_file import load_job_file, parse_job
from ose.inputs.job_memory import check_distillation_memory
from ose.inputs.recipes import changed_recipe
from ose.inputs.space_files import load_space, shipped_spaces
from ose.jobs.checkers import Checkers
from ose.jobs.delete import delete_job, remove_leftovers
from ose.jobs.estimate import job_cost
from ose.jobs.extend import extended_job
from ose.jobs.layer_report import LayerReport
from ose.jobs.layer_study import rank_layers
from ose.jobs.submit import cancel_job, job_json, jobs_json, submit_job
from ose.leaderboard.read import Leaderboard, LeaderboardQuery, read_leaderboard
from ose.limits import operator_limits
from ose.model_verbs import ModelVerbs
from ose.settings import Settings
from ose.store.base import Store
from ose.store.database import connect, has_place_for_tokens, open_store
from ose.store.sql import SqlStore
from ose.students.distill import (
    check_workers,
    choose_candidate,
    distill_student,
    find_distillation,
    finished_student,
)
from ose.students.latency import with_better_latency
from ose.students.manifest import student_manifest
from ose.students.student_queue import StudentQueue


class Workspace(ModelVerbs):
    """A database with its artifacts: where jobs are submitted, run and read. The verbs of `ose` in Python.

    Args:
        home: Folder of database and artifacts; None takes it from the environment (`OSE_HOME`), or `results`.
        progress: Told what long-running verbs are doing.

    Example:
        >>> workspace = Workspace(home="results")  # doctest: +SKIP
        >>> job = workspace.run(workspace.submit("job.yaml").id)  # doctest: +SKIP
        >>> workspace.leaderboard(job.id).to_frame()  # doctest: +SKIP
    """

    def __init__(self, home: str | Path | None = None, progress: Progress | None = None) -> None:
        self._settings = Settings() if home is None else Settings(home=Path(home))
        self._progress = progress or Silence()
        self._wiring = composition.Wiring(self._settings, self._progress)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the database, and end checkers."""
        for name in {"store", "lookout", "checkers"} & self.__dict__.keys():
            getattr(self, name).close()

    @cached_property
    def store(self) -> Store:
        """The database, opened on first use, and migrated where that is needed and possible."""
        close_to_others(self._settings.artifacts)
        return open_store(self._settings.store_url, self.home)

    @cached_property
    def lookout(self) -> Store:
        """The database once more, as it is, for who asks whether it answers while everybody else waits for it."""
        return SqlStore(connect(self._settings.store_url, self.home))

    @cached_property
    def checkers(self) -> Checkers:
        """Processes that check what others submit."""
        return Checkers()

    @property
    def settings(self) -> Settings:
        """What the environment and the caller have set."""
        return self._settings

    @property
    def home(self) -> Path:
        """Folder of the database and all files."""
        return self._settings.home

    @property
    def ray_address(self) -> str | None:
        """The running Ray cluster that jobs join, if there is one."""
        return self._settings.ray_address

    @property
    def artifacts(self) -> Path:
        """Folder of search data, checkpoints and students, made for its owner alone."""
        return self._wiring.artifacts

    def submit(
        self,
        job: str | Path | Mapping[str, Any] | JobSpec,
        *,
        teacher_as_is: bool = False,
        corpus_as_is: bool = False,
    ) -> Job:
        """Check a job and queue it.

        Args:
            job: A job file, its content, or a spec.
            teacher_as_is: Go on also if the teacher's answers look as if it had never been trained.
            corpus_as_is: Go on also if the text looks as if it were not what was meant.

        Raises:
            InvalidInputError: It cannot be used; the message says what and why.
        """
        spec = _spec(job)
        if corpus_as_is:
            spec = replace(spec, corpus=replace(spec.corpus, as_is=True))
        if teacher_as_is:
            spec = replace(spec, teacher=replace(spec.teacher, as_is=True))
        return submit_job(self.store, spec, utc_now)

    def extend(self, job_id: str, steps: int, top: int | None = None) -> Job:
        """Queue a job that trains the leaders of another one further. See `extended_job`.

        Raises:
            InvalidInputError: The steps are not more than the job had.
            ConflictError: The job has not ended, nothing has passed, or its teacher or text has changed.
        """
        return self.store.add_job(extended_job(self.store, job_id, steps, top, utc_now))

    def run(self, job_id: str) -> Job:
        """Run a job in the foreground, from wherever it stands. See `Coordinator.run`."""
        return self.coordinator().run(job_id)

    def remeasure(self, job_id: str) -> Job:
        """Measure latencies again that are not to be believed. See `Coordinator.remeasure`."""
        return self.coordinator().remeasure(job_id)

    def coordinator(self) -> Coordinator:
        """A new coordinator of this workspace's jobs."""
        return Coordinator(self.store, self._wiring.backend, self.artifacts, self._progress)

    def job(self, job_id: str) -> Job:
        """Find a job by its id or the beginning of it."""
        return self.store.job(job_id)

    def spaces(self) -> list[SearchSpace]:
        """The shipped search spaces."""
        return shipped_spaces()

    def space(self, name: str) -> SearchSpace:
        """A shipped search space, or one in a YAML file."""
        return load_space(name)

    def describe(self, job_id: str) -> dict[str, Any]:
        """A job under its JSON names, with the counts of its candidates."""
        return job_json(self.store, self.store.job(job_id))

    def cost(self, job_id: str) -> JobCost:
        """What a job will cost at the pace of earlier ones, and, once it has ended, what it cost."""
        return job_cost(self.store, self.store.job(job_id))

    def jobs(self, limit: int = 50) -> list[Job]:
        """The newest jobs that can be read."""
        return self.store.jobs(limit)

    def descriptions(self, limit: int = 50) -> list[dict[str, Any]]:
        """The newest jobs under their JSON names, those included whose rows cannot be read."""
        return jobs_json(self.store, self.store.listed_jobs(limit))

    def cancel(self, job_id: str) -> Job:
        """Stop a job."""
        return cancel_job(self.store, job_id, utc_now)

    def delete(self, job_id: str) -> Job:
        """Delete a job with its candidates, students and exports, and the files that no other job uses.

        Returns:
            The job as it was.

        Raises:
            NotFoundError: No such job.
            ConflictError: It runs and has to be cancelled first, or a coordinator runs a distillation of it.
        """
        return delete_job(self.store, self.artifacts, job_id, self.store.now)

    def remove_leftovers(self) -> None:
        """Remove what a crash has left of the files of deleted jobs."""
        remove_leftovers(self.store, self.artifacts, self.store.now())

    def leaderboard(self, job_id: str, query: LeaderboardQuery | None = None) -> Leaderboard:
        """A job's candidates, ranked."""
        return read_leaderboard(self.store, job_id, query)

    def layers(self, job: str | Path | Mapping[str, Any] | JobSpec, question: LayerQuestion) -> LayerReport:
        """Rank the subsets of the teacher's layers, of which a search job of its own trains the best few.

        Args:
            job: A job file, its content, or a spec: its teacher, text and training count.
            question: How many layers to keep, and how to compare.
        """
        score = partial(layer_scores, self.store, self._wiring.backend, self.artifacts, self._progress, utc_now)
        return rank_layers(self.store, _spec(job), question, score, self.run, utc_now)

    def distill(
        self,
        job_id: str,
        *,
        candidate: int | None = None,
        changes: Mapping[str, Any] | None = None,
        workers: int = 1,
    ) -> Distillation:
        """Distil a job's best student, or another candidate, fully.

        Args:
            job_id: The job.
            candidate: Number of the candidate; None takes the best.
            changes: Fields of the job's `distillation` to override. A `preset` among them puts its recipe over the
                job's, and the other changes stand above it.
            workers: Processes that train together, on Ray if there are several. They follow the same curve,
                whatever their number, and another number may go on where one has stopped.

        Raises:
            InvalidInputError: There is no such candidate, preset or field, or a value makes no sense.
            ConflictError: No candidate has been scored yet.
            OseError: The distillation failed; the failure is stored with it.
        """
        job = self.store.job(job_id)
        spec = changed_recipe(job.spec.distillation, changes or {})
        check_workers(spec, workers)
        chosen = choose_candidate(self.store, job, candidate)
        check_distillation_memory(job, chosen.architecture, spec, workers)
        return distill_student(
            self.store, job, chosen, spec, self.artifacts, partial(self._wiring.distill, workers), utc_now
        )

    @cached_property
    def students(self) -> StudentQueue:
        """Distillations that others ask for, and the exports made of them."""
        return StudentQueue(
            self.store, self._settings.artifacts, self._wiring.distill, composition.write_export, self.store.now
        )

    @property
    def tokens(self) -> TokenKeeper:
        """Who may use this workspace over HTTP."""
        return TokenKeeper(self.store, utc_now, self.token_marker)

    @property
    def token_marker(self) -> TokenMarker:
        """What the home remembers of tokens."""
        return TokenMarker(self.home)

    def must_ask_for_tokens(self) -> bool:
        """Whether a server of this workspace has to ask for tokens from its start. See `must_ask`.

        A database that is not there is not made for the question.
        """
        has_tokens = has_place_for_tokens(self._settings.store_url) and self.tokens.exist()
        return must_ask(self.token_marker, has_tokens)

    def export(self, job_id: str, output: str | Path, *, candidate: int | None = None) -> ExportSummary:
        """Write a distilled student as a directory that plain `transformers` loads, noisy latencies measured again.

        Raises:
            NotFoundError: Nothing has been distilled yet.
            ConflictError: `output` is not empty, or a file of the student is not what was distilled.
        """
        job = self.store.job(job_id)
        distillation = find_distillation(self.store, job, candidate)
        job = with_better_latency(self.store, job, distillation, Path(output), self.coordinator(), self._progress)
        manifest = student_manifest(self.store, job, distillation)
        return composition.write_export(finished_student(distillation), Path(output), manifest)

    def finetune(
        self,
        model: str | Path,
        corpus: CorpusSpec,
        output: str | Path,
        *,
        spec: FinetuningSpec | None = None,
        head: HeadRequest | None = None,
        seeds: Sequence[int] = (0,),
        sequence_length: int | None = None,
        task: str | None = None,
        threads: int | None = None,
        device: str = "cpu",
    ) -> FinetuningReport:
        """Train an encoder, or a model of the task, on labels, here. The same again goes on, or repeats nothing.

        Args:
            model: A directory or hub id. An encoder, alone or with the head of a language model, gets a new head.
            corpus: Rows with labels; a tenth is held out where it names no validation file.
            output: A directory for the model, which does not exist yet. Of several seeds it is the best one on the
                validation part, and all lie in folders in it.
            spec: How to train; its seed does not count.
            head: What the outputs are to be, if they are not to follow from the model or the labels.
            seeds: A model is trained for each.
            sequence_length: Tokens an item at most; None is 128, or what the model takes if that is less.
            task: What the model is to do; None leaves that to its class, or is text classification.
            threads: Of one operation; None is the machine's cores.
            device: `cpu` or `cuda`.

        Raises:
            InvalidInputError: Model or data cannot be used; the message says which and why.
            ConflictError: `output` has something else in it.
            NonFiniteLossError: Training diverged.
        """
        request = inspect_finetuning(
            str(model),
            corpus,
            spec or FinetuningSpec(),
            output=Path(output),
            folder=self.artifacts / "finetunings",
            head=head or HeadRequest(),
            seeds=tuple(seeds),
            sequence_length=sequence_length,
            task=task,
            threads=threads or min(os.cpu_count() or 1, operator_limits().max_threads),
            device=device,
        )
        done = finished(request)
        if done is None:
            done = self._wiring.finetune(request)
        return done


def _spec(job: str | Path | Mapping[str, Any] | JobSpec) -> JobSpec:
    if isinstance(job, Mapping):
        return parse_job(job, Path.cwd())
    return job if isinstance(job, JobSpec) else load_job_file(Path(job))
