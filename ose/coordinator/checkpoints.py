"""Which weights stay on the disk: those of candidates that may be gone on with, and no others."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from pathlib import Path

from ose.artifacts.intact import remove_intact
from ose.coordinator.cache_keys import CheckpointNames
from ose.core.job import Candidate, Job
from ose.core.messages import CheckpointFiles
from ose.core.objectives import measures, teacher_measures
from ose.core.score import loss_for_score
from ose.core.spec import SearchSpec
from ose.strategies.base import Outcome, Proposal
from ose.strategies.halving import most_survivors

SortKey = tuple[bool, float]


class Checkpoints:
    """The best of each wave so far, whose files are kept. Files are a cache, so it may forget but never lose anything.

    A worker writes a file only if its candidate would be among the best so far: of candidates that come in any order,
    few ever are. What drops out is removed at once. After a crash it is told the stored outcomes again, and removes
    what the last one had left.

    Args:
        folder: Where files lie, shared with the workers; jobs that train the same candidate share its files.
        job: Whose candidates; its spec says how many are kept.
    """

    def __init__(self, folder: Path, job: Job) -> None:
        self._folder = folder
        self._search = job.spec.search
        self._names = CheckpointNames(job)
        self._num_kept = 0
        self._best: list[tuple[SortKey, int, Path]] = []

    def begin(self, proposals: Sequence[Proposal]) -> None:
        """A wave begins: of what is kept, only what it goes on with has a use."""
        continued = {proposal.continues for proposal in proposals}
        for _, number, file in self._best:
            if -number not in continued:
                remove_intact(file)
        self._best = []
        self._num_kept = max(self._search.keep_checkpoints, _most_continued(self._search, len(proposals)))

    def files(self, job: Job, candidate: Candidate) -> CheckpointFiles:
        """What the request of a candidate says of files; job and candidate have been measured."""
        *earlier, last = (self._file(candidate, phase) for phase in range(1, len(candidate.phases) + 1))
        return CheckpointFiles(
            earlier=tuple(map(str, earlier)), last=str(last), loss_at_most=self._loss_at_most(job, candidate)
        )

    def ended(self, candidate: Candidate, outcome: Outcome) -> None:
        """A candidate of the wave has come to its end."""
        if candidate.continues is not None:
            remove_intact(self._file(candidate, len(candidate.phases) - 1))
        if outcome.sort_key is None:
            return
        entry = outcome.sort_key, -candidate.number, self._file(candidate, len(candidate.phases))
        heapq.heappush(self._best, entry)
        self._trim(self._num_kept)

    def finish(self) -> None:
        """The last wave has ended: keep what `ose job extend` may ask for."""
        self._trim(self._search.keep_checkpoints)

    def _trim(self, num_kept: int) -> None:
        while len(self._best) > num_kept:
            remove_intact(heapq.heappop(self._best)[-1])

    def _file(self, candidate: Candidate, num_phases: int) -> Path:
        return self._folder / f"{self._names.name(candidate, num_phases)}.safetensors"

    def _loss_at_most(self, job: Job, candidate: Candidate) -> float:
        if self._num_kept == 0:
            return -math.inf
        if len(self._best) < self._num_kept:
            return math.inf
        (has_passed, value), *_ = self._best[0]
        if not has_passed or candidate.latency is None:
            return math.inf
        student = measures(candidate.num_parameters, candidate.latency)
        return loss_for_score(student, teacher_measures(job), job.spec.score, value)


def _most_continued(search: SearchSpec, num_candidates: int) -> int:
    return most_survivors(num_candidates, search.eta) if search.strategy == "halving" else 0
