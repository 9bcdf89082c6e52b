"""`ose.Workspace` over HTTP: the same verbs, the same values, the same errors."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from ose.client import parsing
from ose.client.download import download_export, require_free
from ose.client.events import job_events
from ose.client.tokens import RemoteTokens
from ose.client.transport import Transport
from ose.core.cost import JobCost
from ose.core.exports import ExportSummary
from ose.core.job import Distillation, DistillationStatus, Job, JobStatus
from ose.core.progress import Progress, Silence
from ose.core.search_space import SearchSpace
from ose.core.spec import JobSpec
from ose.errors import NotFoundError, ServiceError, error_of
from ose.jobs.submit import UNREADABLE
from ose.leaderboard.read import Leaderboard, LeaderboardQuery

_PAGE = 100
_POLL_S = 2.0


class RemoteWorkspace:
    """A service, used as `ose.Workspace` is.

    What a service cannot do for others, such as measuring a model of this machine, is left out.

    Args:
        url: Of the service.
        token: What it is shown.
        progress: Told what long-running verbs are doing.

    Example:
        >>> service = RemoteWorkspace("https://ose.example.org", token)  # doctest: +SKIP
        >>> job = service.run(service.submit("job.yaml").id)  # doctest: +SKIP
        >>> service.export(job.id, "student")  # doctest: +SKIP
    """

    def __init__(self, url: str, token: str | None = None, progress: Progress | None = None) -> None:
        self._transport = Transport(url, token)
        self._progress = progress or Silence()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connections."""
        self._transport.close()

    @property
    def tokens(self) -> RemoteTokens:
        """Who may use the service."""
        return RemoteTokens(self._transport)

    def submit(
        self,
        job: str | Path | Mapping[str, Any] | JobSpec,
        key: str | None = None,
        *,
        teacher_as_is: bool = False,
        corpus_as_is: bool = False,
    ) -> Job:
        """Have a job checked and queued. Its paths are relative to the service's data folder.

        Args:
            job: A job file, its content, or a spec. A search space in a file of its own is sent along.
            key: A name for this submission; another call with it finds the same job. None makes one up, so that
                a lost answer does not make two jobs.
            teacher_as_is: Go on also if the teacher's answers look as if it had never been trained.
            corpus_as_is: Go on also if the text looks as if it were not what was meant.

        Raises:
            InvalidInputError: It cannot be used; the message says what and why.
        """
        content = parsing.job_content(job, teacher_as_is=teacher_as_is, corpus_as_is=corpus_as_is)
        return parsing.job(self._transport.post("/jobs", content, key or uuid.uuid4().hex))

    def extend(self, job_id: str, steps: int, top: int | None = None, key: str | None = None) -> Job:
        """Have a job queued that trains the leaders of another one further.

        Args:
            job_id: The job to go on with.
            steps: Training steps in all, more than it had.
            top: How many of its best candidates; None takes the first group of the leaderboard.
            key: As in `submit`.

        Raises:
            OseError: It cannot be extended so; the message says why.
        """
        path = f"/jobs/{parsing.segment(job_id)}/extend"
        return parsing.job(self._transport.post(path, {"steps": steps, "top": top}, key or uuid.uuid4().hex))

    def run(self, job_id: str) -> Job:
        """Have the service go on with a job if it has stopped, and follow it to its end."""
        job = self.job(job_id)
        if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
            job = self.resume(job.id)
        shown = 0
        self._progress.stage("Waiting for a coordinator", 0)
        for event in self.events(job.id):
            total, done = parsing.progress(event)
            if total and not shown:
                self._progress.stage("Candidates", total)
            self._progress.advance(done - shown if total else 0)
            shown = done
        return self.job(job.id)

    def events(self, job_id: str) -> Iterator[dict[str, Any]]:
        """How a job stands, whenever that changes, until it ends."""
        return job_events(self._transport, job_id)

    def job(self, job_id: str) -> Job:
        """Find a job by its id or the beginning of it."""
        return parsing.job(self.describe(job_id))

    def describe(self, job_id: str) -> dict[str, Any]:
        """A job under its JSON names, with the counts of its candidates."""
        content: dict[str, Any] = self._transport.get(f"/jobs/{parsing.segment(job_id)}")
        return content

    def cost(self, job_id: str) -> JobCost:
        """What a job will cost at the pace of the service's earlier ones, and what it cost."""
        return parsing.cost(self._transport.get(f"/jobs/{parsing.segment(job_id)}/cost"))

    def descriptions(self, limit: int = 50) -> list[dict[str, Any]]:
        """The newest jobs under their JSON names."""
        found: list[dict[str, Any]] = []
        after = None
        while len(found) < limit:
            page = self._transport.get("/jobs", {"limit": min(limit - len(found), _PAGE), "after": after})
            found += page["jobs"]
            after = page["next"]
            if after is None:
                break
        return found

    def jobs(self, limit: int = 50) -> list[Job]:
        """The newest jobs that the service can read."""
        return [parsing.job(content) for content in self.descriptions(limit) if content["status"] != UNREADABLE]

    def cancel(self, job_id: str) -> Job:
        """Stop a job."""
        return parsing.job(self._transport.post(f"/jobs/{parsing.segment(job_id)}/cancel"))

    def delete(self, job_id: str) -> Job:
        """Delete a job with its candidates, students and exports, and the files that no other job uses.

        Returns:
            The job as it was.

        Raises:
            ConflictError: It runs and has to be cancelled first, or a student of it is being distilled.
            ForbiddenError: It is another's.
        """
        return parsing.job(self._transport.delete(f"/jobs/{parsing.segment(job_id)}"))

    def resume(self, job_id: str) -> Job:
        """Queue a stopped job again."""
        return parsing.job(self._transport.post(f"/jobs/{parsing.segment(job_id)}/resume"))

    def leaderboard(self, job_id: str, query: LeaderboardQuery | None = None) -> Leaderboard:
        """A job's candidates, ranked."""
        query = query or LeaderboardQuery()
        parameters = parsing.query_parameters(query)
        path = f"/jobs/{parsing.segment(job_id)}/leaderboard"
        rows: list[dict[str, Any]] = []
        trust: dict[str, Any] = {}
        after = None
        while True:
            left = _PAGE if query.limit is None else query.limit - len(rows)
            page = self._transport.get(path, {**parameters, "limit": min(left, _PAGE), "after": after})
            rows, after = rows + page["rows"], page["next"]
            trust = trust or {name: page[name] for name in ("trust", "hint") if page["trust"]}
            if after is None or len(rows) == query.limit:
                return parsing.leaderboard({**page, **trust, "rows": rows})

    def candidate(self, job_id: str, number: int) -> dict[str, Any]:
        """One candidate under its JSON names, with everything that was measured of it."""
        content: dict[str, Any] = self._transport.get(f"/jobs/{parsing.segment(job_id)}/candidates/{number}")
        return content

    def spaces(self) -> list[SearchSpace]:
        """The search spaces that the service comes with."""
        return [self.space(each["name"]) for each in self._transport.get("/spaces")]

    def space(self, name: str) -> SearchSpace:
        """One of them."""
        return parsing.space(self._transport.get(f"/spaces/{parsing.segment(name)}", {"limit": 1}))

    def distill(
        self, job_id: str, *, candidate: int | None = None, changes: Mapping[str, Any] | None = None, workers: int = 1
    ) -> Distillation:
        """Have a job's best student, or another candidate, distilled fully, and wait for it.

        Raises:
            OseError: It cannot be, or has failed.
        """
        asked = {"candidate": candidate, "changes": dict(changes or {}), "workers": workers}
        content = self._transport.post(f"/jobs/{parsing.segment(job_id)}/distillations", asked)
        self._progress.stage(f"Distillation {content['id']} of job {content['job']}, on the service", 0)
        while not DistillationStatus(content["status"]).is_terminal:
            time.sleep(_POLL_S)
            content = self._transport.get(f"/jobs/{content['job']}/distillations/{content['id']}")
        if content["error"] is not None:
            raise error_of(content["error"]["code"], content["error"]["message"], ServiceError)
        return parsing.distillation(content)

    def distillations(self, job_id: str) -> list[Distillation]:
        """A job's distillations, newest first."""
        found = self._transport.get(f"/jobs/{parsing.segment(job_id)}/distillations")
        return [parsing.distillation(content) for content in found]

    def exports(self, job_id: str) -> list[dict[str, Any]]:
        """A job's exports under their JSON names, newest first."""
        found: list[dict[str, Any]] = self._transport.get(f"/jobs/{parsing.segment(job_id)}/exports")
        return found

    def export(self, job_id: str, output: str | Path, *, candidate: int | None = None) -> ExportSummary:
        """Download an exported student; an interrupted transfer goes on where it broke.

        Raises:
            NotFoundError: Nothing has been exported yet.
            ConflictError: `output` is not empty.
        """
        require_free(Path(output))
        fitting = [each for each in self.exports(job_id) if candidate in (None, each["candidate"])]
        if not fitting:
            which = f"job {job_id}" if candidate is None else f"candidate {candidate} of job {job_id}"
            raise NotFoundError(f"{which} has no exported student yet; a coordinator exports what it has distilled")
        export = fitting[0]
        self._progress.stage("Downloading, bytes", export["size_bytes"])
        return download_export(self._transport, export, Path(output), self._progress.advance)
