"""Have models take turns, so that what is compared is compared under the same conditions.

A busy host is slow for milliseconds or for minutes, and a figure taken at one moment tells of that moment. Here every
model takes a turn in every round, in random order, and so does the reference, mostly the teacher, with which it is
compared within the round. All turns last about as long: the scheduler interrupts long stretches and not short ones, so
that a model whose turn were one short call would seem faster the busier the machine is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from ose.core.rounds import Rounds, is_settled

Call = Callable[[], float]
"""Runs once; returns how long that took by the clock of its device, in ms."""

TURN_MS = 20.0
"""A turn lasts at least this long, and at least one call of the reference: long beside an interrupt."""

WARMUP_S = 0.05
"""Enough for allocators and kernels to settle, with five calls at least."""

_WARMUP_CALLS = 5

MIN_ROUNDS, MAX_ROUNDS = 5, 300

_NEARLY = 0.05
"""Of a call by which a turn may be too short: for a hair's breadth no further call of a large model is made."""

_BESIDE = 5
"""Models that share a turn of the reference. With more of them it would lie too far from some in time."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One model with one batch, warm.

    Attributes:
        call_ms: What one call takes, as far as warming up told.
        has_cpu_time: Whether it computes in the thread that calls it, and nowhere else, so that the processor time of
            the thread is its own.
    """

    call: Call
    call_ms: float
    has_cpu_time: bool


@dataclass(frozen=True, slots=True)
class _Turn:
    wall_ms: float
    cpu_ms: float


def warm(call: Call, *, has_cpu_time: bool) -> Timed:
    """Run it some times, and learn how long it takes.

    Args:
        call: Runs it once.
        has_cpu_time: Whether it computes in the thread that calls it, and nowhere else.
    """
    times_ms: list[float] = []
    until = time.perf_counter() + WARMUP_S
    while len(times_ms) < _WARMUP_CALLS or time.perf_counter() < until:
        turn = _turn(call, 1)
        times_ms.append(turn.cpu_ms if has_cpu_time else turn.wall_ms)
    return Timed(call, min(times_ms), has_cpu_time)


def _turn(call: Call, num_calls: int) -> _Turn:
    started_s = time.thread_time()
    wall_ms = sum(call() for _ in range(num_calls))
    cpu_ms = (time.thread_time() - started_s) * 1e3
    return _Turn(wall_ms / num_calls, cpu_ms / num_calls)


def take_turns(
    reference: Sequence[Timed], models: Sequence[Sequence[Timed]], time_s: float
) -> tuple[list[Rounds], list[list[Rounds]]]:
    """Run rounds until every ratio is known well enough, or the time is up.

    Args:
        reference: What models are compared with, once for each batch.
        models: Each with the same batches, in the same order.
        time_s: For all rounds.

    Returns:
        Rounds of the reference beside itself, and of each model, a list over batches.
    """
    contest = _Contest(reference, models)
    stop_at = time.perf_counter() + time_s
    for count in range(1, MAX_ROUNDS + 1):
        contest.run_round()
        if count >= MIN_ROUNDS and (time.perf_counter() >= stop_at or contest.is_settled()):
            break
    return contest.rounds()


class _Contest:
    """Who takes turns, and what these took. The reference has no number among the models: it is None."""

    def __init__(self, reference: Sequence[Timed], models: Sequence[Sequence[Timed]]) -> None:
        self._draw = random.Random()  # of its own: a worker's draws are not disturbed
        self._timed: dict[int | None, Sequence[Timed]] = {None: reference, **dict(enumerate(models))}
        self._batches = range(len(reference))
        self._has_cpu_time = all(each.has_cpu_time for batches in self._timed.values() for each in batches)
        self._pairs: dict[tuple[int | None, int], list[tuple[_Turn, _Turn]]] = {
            (model, batch): [] for model in self._timed for batch in self._batches
        }

    def run_round(self) -> None:
        """Every model with every batch once."""
        for some in _dealt(len(self._timed) - 1, self._draw):
            order = [(model, batch) for model in (None, *some) for batch in self._batches]
            self._draw.shuffle(order)
            turns = {(model, batch): self._turn(model, batch) for model, batch in order}
            for model, batch in order:
                self._pairs[model, batch].append((turns[model, batch], turns[None, batch]))

    def is_settled(self) -> bool:
        """Whether more rounds are not needed."""
        return all(is_settled(self._rounds(model, batch)) for model, batch in self._pairs)

    def rounds(self) -> tuple[list[Rounds], list[list[Rounds]]]:
        """Of the reference and of each model, over batches."""
        reference, *models = ([self._rounds(model, batch) for batch in self._batches] for model in self._timed)
        return reference, models

    def _rounds(self, model: int | None, batch: int) -> Rounds:
        return _rounds(self._pairs[model, batch], has_cpu_time=self._has_cpu_time)

    def _turn(self, model: int | None, batch: int) -> _Turn:
        timed, turn_ms = self._timed[model][batch], max(TURN_MS, self._timed[None][batch].call_ms)
        return _turn(timed.call, ceil(turn_ms / timed.call_ms - _NEARLY))


def _dealt(count: int, draw: random.Random) -> Iterator[list[int]]:
    """Models in random order, a few beside each turn of the reference; without any it takes its turn alone."""
    order = draw.sample(range(count), count)
    num_groups = max(1, ceil(count / _BESIDE))
    return (order[first::num_groups] for first in range(num_groups))


def _rounds(pairs: Sequence[tuple[_Turn, _Turn]], *, has_cpu_time: bool) -> Rounds:
    own, reference = zip(*pairs, strict=True)
    return Rounds(
        wall_ms=tuple(turn.wall_ms for turn in own),
        cpu_ms=tuple(turn.cpu_ms for turn in own) if has_cpu_time else None,
        reference_wall_ms=tuple(turn.wall_ms for turn in reference),
        reference_cpu_ms=tuple(turn.cpu_ms for turn in reference) if has_cpu_time else None,
    )
