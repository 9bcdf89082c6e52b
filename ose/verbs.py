"""What a workspace can be asked, wherever it is: on this machine (`ose.Workspace`), or over HTTP (`ose.client`)."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from ose.core.access import Scope, Token
from ose.core.cost import JobCost
from ose.core.exports import ExportSummary
from ose.core.job import Distillation, Job
from ose.core.search_space import SearchSpace
from ose.core.spec import JobSpec
from ose.leaderboard.read import Leaderboard, LeaderboardQuery


class TokenVerbs(Protocol):
    """Who may use a workspace over HTTP."""

    def create(self, name: str, scope: Scope, valid_days: int | None = None) -> tuple[Token, str]:
        """Make a token; what is returned beside it cannot be shown again."""

    def list(self) -> builtins.list[Token]:
        """All tokens, oldest first."""

    def revoke(self, token_id: str) -> Token:
        """Withdraw a token; doing so again changes nothing."""


class Verbs(Protocol):
    """A workspace. The classes that keep this protocol say what each verb raises."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Release what it holds."""

    @property
    def tokens(self) -> TokenVerbs:
        """Who may use it over HTTP."""

    def submit(
        self,
        job: str | Path | Mapping[str, Any] | JobSpec,
        *,
        teacher_as_is: bool = False,
        corpus_as_is: bool = False,
    ) -> Job:
        """Check a job and queue it."""

    def extend(self, job_id: str, steps: int, top: int | None = None) -> Job:
        """Queue a job that trains the leaders of another one further."""

    def run(self, job_id: str) -> Job:
        """See a job to its end."""

    def job(self, job_id: str) -> Job:
        """Find a job by its id or the beginning of it."""

    def jobs(self, limit: int = 50) -> list[Job]:
        """The newest jobs that can be read."""

    def describe(self, job_id: str) -> dict[str, Any]:
        """A job under its JSON names, with the counts of its candidates."""

    def descriptions(self, limit: int = 50) -> list[dict[str, Any]]:
        """The newest jobs under their JSON names."""

    def cost(self, job_id: str) -> JobCost:
        """What a job will cost at the pace of earlier ones, and, once it has ended, what it cost."""

    def cancel(self, job_id: str) -> Job:
        """Stop a job."""

    def delete(self, job_id: str) -> Job:
        """Delete a job with its candidates, students and exports; returns it as it was."""

    def leaderboard(self, job_id: str, query: LeaderboardQuery | None = None) -> Leaderboard:
        """A job's candidates, ranked."""

    def spaces(self) -> list[SearchSpace]:
        """The search spaces that come along."""

    def space(self, name: str) -> SearchSpace:
        """One of them."""

    def distill(
        self, job_id: str, *, candidate: int | None = None, changes: Mapping[str, Any] | None = None, workers: int = 1
    ) -> Distillation:
        """Distil a job's best student, or another candidate, fully."""

    def export(self, job_id: str, output: str | Path, *, candidate: int | None = None) -> ExportSummary:
        """Write a distilled student as a directory that plain `transformers` loads."""
