"""What lists of candidates ask of a database. Part of `ose.store.base.Store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ose.store.pages import (
    NO_LIMITS,
    CandidateLimits,
    CandidatePage,
    CandidateRow,
    Changes,
    LatencySummary,
    Order,
    Position,
    RowMeasures,
)


class PageStore(Protocol):
    """Lists of candidates, without their raw measurements.

    Raises:
        StoreError: The database cannot be reached or read (any method).
    """

    def candidate_page(
        self,
        job_id: str,
        *,
        order: Order = "score",
        limit: int = 50,
        after: Position | None = None,
        limits: CandidateLimits = NO_LIMITS,
    ) -> CandidatePage:
        """Some of a job's candidates, in order, without their raw measurements and without those SUPERSEDED.

        Args:
            job_id: The full id.
            order: Best first.
            limit: At most so many.
            after: The end of the page before.
            limits: What the rows have at most.
        """

    def candidate_rows(self, job_id: str, numbers: Sequence[int]) -> list[CandidateRow]:
        """The candidates of these numbers, also those SUPERSEDED, in the order given; unknown numbers are left out."""

    def changes(self, job_id: str, since: int | None = None) -> Changes:
        """Where a job's candidates stand, or what of that has changed.

        Args:
            job_id: The full id.
            since: The mark of an earlier look; None gives all candidates.
        """

    def latency_summary(self, job_id: str) -> LatencySummary:
        """What there is to say of all latencies of a job, those of candidates SUPERSEDED left out."""

    def objectives(self, job_id: str, limits: CandidateLimits = NO_LIMITS) -> list[RowMeasures]:
        """What the candidates that passed are compared by, by number."""
