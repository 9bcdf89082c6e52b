"""The study's units in the order in which they are done: of each task its teacher, its search, its students."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks.classifiers.plan import START_S, Pace
from benchmarks.classifiers.sizes import CHOICE, RIVALS, STUDENTS, Axes
from benchmarks.classifiers.units import Unit
from benchmarks.classifiers.work import Work

BY = ("task", "language")
"""What the two searches that are compared rank by."""

_LEAST_TOKENS = 12
"""Of the items that the pace is told for."""


class Units:
    """Makes all of them.

    Args:
        work: What they do.
        pace: Tells what they take.
    """

    def __init__(self, work: Work, pace: Pace) -> None:
        self._work, self._sizes, self._pace = work, work.sizes, pace

    def all(self) -> list[Unit]:
        """What says most for the least time first."""
        found: list[Unit] = []
        for task in self._sizes.tasks:
            found += self._of_task(task)
            if task == self._sizes.order_task:
                found += [*self._of_order(task), *self._of_language(task)]
        return found

    def _of_task(self, task: str) -> Iterator[Unit]:
        sizes, teacher, search = self._sizes.tasks[task], f"{task}/teacher", f"{task}/search"
        longer = sizes.mean_tokens / _LEAST_TOKENS
        steps = sizes.epochs * self._work.num_rows(task, "train") / 32
        yield _unit(teacher, "teachers", partial(self._work.teacher, task), cost=steps * self._pace.finetuning * longer)
        cost = num_members(sizes.space) * self._candidate_s(self._sizes.steps, self._pace.searching * longer)
        yield _unit(search, "searches", partial(self._work.search, task), teacher, cost=cost)
        if not sizes.targets:
            return
        yield _unit(f"{task}/bag", "bags of words", partial(self._work.bag, task), teacher, cost=300)
        yield _unit(f"{task}/layers", "layers", partial(self._work.layers, task), search, cost=600)
        for target, share in sizes.targets.items():
            yield from self._of_target(task, target, share)
        for aim, share in sizes.aims.items():
            yield self._choice(task, aim, share)
            yield from (self._student(task, f"{task}/{aim}/{CHOICE}", seed) for seed in range(self._sizes.seeds))

    def _of_target(self, task: str, target: str, share: float) -> Iterator[Unit]:
        choice = self._choice(task, target, share)
        yield choice
        for name in RIVALS:
            make = partial(self._work.rival, task, target, name)
            cost = 60 + self._candidate_s(self._sizes.steps, self._pace.searching)
            yield _unit(f"{task}/{target}/{name}", "rivals", make, choice.name, f"{task}/layers", cost=cost)
        for seed in range(self._sizes.seeds):
            yield from (self._student(task, f"{task}/{target}/{name}", seed) for name in STUDENTS)
        if (task, target) == (self._sizes.order_task, self._sizes.order_target):
            yield self._longer(task, choice.name)

    def _choice(self, task: str, target: str, share: float) -> Unit:
        make = partial(self._work.choice, task, share)
        return _unit(f"{task}/{target}/{CHOICE}", "choices", make, f"{task}/search", cost=120)

    def _of_order(self, task: str) -> Iterator[Unit]:
        """Some shapes after few steps, and all of them distilled."""
        count, search = num_members(self._sizes.order_space), f"{task}/search"
        cost = count * self._candidate_s(self._sizes.few_steps, self._pace.searching)
        yield _unit("order/search", "searches", partial(self._work.few_steps, task), f"{task}/teacher", cost=cost)
        for index in range(count):
            make = partial(self._work.ordered, task, index)
            cost = self._sizes.distillation_steps * self._pace.distilling
            yield _unit(f"order/{index}", "order", make, "order/search", search, cost=cost)

    def _of_language(self, task: str) -> Iterator[Unit]:
        """The search on the language model, and both winners distilled on the task."""
        count = num_members(self._sizes.order_space)
        cost = count * self._candidate_s(self._sizes.few_steps, self._pace.language)
        yield _unit("language/search", "searches", self._work.language_search, "order/search", cost=cost)
        for by in BY:
            make = partial(self._work.language_choice, by)
            yield _unit(f"language/{by}", "choices", make, "order/search", "language/search", cost=120)
        done = [f"order/{index}" for index in range(count)]
        for seed in range(self._sizes.seeds):
            by_task = self._student(task, "language/task", seed, needs=done)
            yield by_task
            yield self._student(task, "language/language", seed, needs=[*done, by_task.name])  # may be the same student

    def _longer(self, task: str, place: str) -> Unit:
        """What more steps add, of one student."""
        steps = self._sizes.longer_steps
        make = partial(self._work.distil, task, place, 0, steps)
        return _unit(f"{place}/longer", "students", make, place, cost=steps * self._pace.distilling)

    def _student(self, task: str, place: str, seed: int, needs: Sequence[str] = ()) -> Unit:
        steps = self._sizes.distillation_steps
        make = partial(self._work.distil, task, place, seed, steps)
        return _unit(f"{place}/seed-{seed}", "students", make, place, *needs, cost=steps * self._pace.distilling)

    @staticmethod
    def _candidate_s(steps: int, step_s: float) -> float:
        return START_S + steps * step_s


def _unit(name: str, kind: str, make: Any, *needs: str, cost: float) -> Unit:
    return Unit(name=name, kind=kind, make=make, needs=needs, core_s=cost)


def num_members(space: Axes) -> int:
    """Of a space all of whose heads divide all of its widths."""
    count = 1
    for values in space.values():
        count *= len(values)
    return count
