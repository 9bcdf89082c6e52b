"""What decides where each candidate of a job stands, held in memory: some 40 bytes of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, MutableSequence
from math import inf
from typing import Any

from ose.core.pareto import Objectives, beats, pareto_front
from ose.store.pages import RowMeasures

_MOST_FRONTED_ONE_BY_ONE = 500
"""So many changes at once, and the front is found anew: that takes as long."""

_HAS_RANK, _IS_LISTED = 1, 2


class MeasureTable:
    """The figures of all candidates, and which of them no other one beats."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._parameters, self._latencies, self._losses = array("q"), array("d"), array("d")
        self._flags = bytearray()
        self._front: dict[int, Objectives] | None = None

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[RowMeasures]:
        for number in sorted(self._places):
            yield self._at(number, self._places[number])

    def get(self, number: int) -> RowMeasures | None:
        """Of one candidate; None if it is not known yet."""
        place = self._places.get(number)
        return None if place is None else self._at(number, place)

    def put(self, changed: Iterable[RowMeasures]) -> None:
        """Take in what has changed."""
        changed = list(changed)
        if len(changed) > _MOST_FRONTED_ONE_BY_ONE:
            self._front = None
        for figures in changed:
            before = self.get(figures.number)
            if before != figures:
                self._store(figures)
                self._move(before, figures)

    @property
    def front(self) -> dict[int, Objectives]:
        """Numbers and objectives of those that have a rank and that no other one beats."""
        if self._front is None:
            ranked = [(each.number, pareto_point(each)) for each in self if each.has_rank]
            flags = pareto_front([point for _, point in ranked])
            self._front = {number: point for (number, point), is_on in zip(ranked, flags, strict=True) if is_on}
        return self._front

    def _at(self, number: int, place: int) -> RowMeasures:
        latency, loss = self._latencies[place], self._losses[place]
        return RowMeasures(
            number,
            self._parameters[place],
            None if latency == inf else latency,
            None if loss == inf else loss,
            bool(self._flags[place] & _HAS_RANK),
            bool(self._flags[place] & _IS_LISTED),
        )

    def _store(self, figures: RowMeasures) -> None:
        columns: tuple[MutableSequence[Any], ...] = (self._parameters, self._latencies, self._losses, self._flags)
        latency = inf if figures.latency_p50_ms is None else figures.latency_p50_ms
        loss = inf if figures.loss_nats is None else figures.loss_nats
        flags = _HAS_RANK * figures.has_rank + _IS_LISTED * figures.is_listed
        values = (figures.num_parameters, latency, loss, flags)
        place = self._places.setdefault(figures.number, len(self._places))
        for column, value in zip(columns, values, strict=True):
            if place == len(column):
                column.append(value)
            else:
                column[place] = value

    def _move(self, before: RowMeasures | None, after: RowMeasures) -> None:
        """Correct the front, unless it is to be found anew."""
        if self._front is None:
            return
        if before is not None and before.number in self._front:
            self._front = None  # others may have stood behind this one
        elif after.has_rank:
            point = pareto_point(after)
            if not any(beats(other, point) for other in self._front.values()):
                kept = {number: other for number, other in self._front.items() if not beats(point, other)}
                self._front = {**kept, after.number: point}


def pareto_point(figures: RowMeasures) -> Objectives:
    """What a candidate that passed is compared by on a Pareto front."""
    latency, loss = figures.latency_p50_ms, figures.loss_nats
    assert latency is not None and loss is not None
    return figures.num_parameters, latency, loss
