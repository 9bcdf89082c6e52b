"""What of a search space a job never looks at: values that no candidate has, though the space names them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ose.core.job import Job
from ose.core.notes import job_notes
from ose.core.search_space import AXES, SearchSpace
from ose.families.counts import FamilyCounts, counts_of

_MOST_PAIRS, _MOST_MEMBERS = 10_000, 20_000
"""Larger spaces are not looked through while somebody waits."""

_FEW = 4


def notes_of(job: Job) -> tuple[str, ...]:
    """All that people should know of a job beside its figures, a line each; none stops it."""
    if job.spec.extends is not None:
        return job_notes(job)
    return (*job_notes(job), *_of_space(job.spec.space), *_beyond_teacher(job), *_of_stride(job))


def _of_space(space: SearchSpace) -> Iterator[str]:
    if space.num_pairs > _MOST_PAIRS:
        return
    heads, widths = space.num_attention_heads, space.hidden_size
    lone_heads = [a for a in heads if not any(h % a == 0 for h in widths)]
    lone_widths = [h for h in widths if not any(h % a == 0 for a in heads)]
    if lone_heads:
        yield f"no candidate has num_attention_heads {_listed(lone_heads)}: they divide no hidden_size of the space"
    if lone_widths:
        yield f"no candidate has hidden_size {_listed(lone_widths)}: no num_attention_heads of the space divides it"
    pairs = [(h, a) for h in widths for a in heads if h % a and h not in lone_widths and a not in lone_heads]
    if pairs:
        shown = ", ".join(f"{h} with {a} heads" for h, a in pairs[:_FEW])
        more = f" and {len(pairs) - _FEW} more" if len(pairs) > _FEW else ""
        yield f"no candidate has a hidden_size that its heads do not divide: {shown}{more}"


def _beyond_teacher(job: Job) -> Iterator[str]:
    for axis in AXES:
        bound = getattr(job.teacher.architecture, axis)
        beyond = [each for each in getattr(job.spec.space, axis) if each > bound]
        if beyond:
            yield f"{axis} {_listed(beyond)} of the space exceed the teacher's {bound}"


def _of_stride(job: Job) -> Iterator[str]:
    search, space = job.spec.search, job.spec.space
    if search.strategy != "ose" or search.epsilon == 1:
        return
    depth = job.teacher.architecture.num_hidden_layers
    if space.num_pairs > _MOST_PAIRS or space.count(depth) > _MOST_MEMBERS:
        return
    for axis, values in _unvisited(space, counts_of(job.teacher), depth, search.epsilon):
        yield (
            f"a stride of search.epsilon {search.epsilon} never comes to {axis} {_listed(values)}; "
            "another epsilon may, as one that is prime to the lengths of the axes"
        )


@lru_cache(maxsize=256)  # a list of jobs has the same few spaces again and again
def _unvisited(
    space: SearchSpace, counts: FamilyCounts, depth: int, stride: int
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The values of each axis that some member has, and none that the stride comes to."""
    every, visited = (_values(space, counts, depth, step) for step in (1, stride))
    missing = [(axis, tuple(sorted(every[axis] - visited[axis]))) for axis in AXES]
    return tuple((axis, values) for axis, values in missing if values)


def _values(space: SearchSpace, counts: FamilyCounts, depth: int, stride: int) -> dict[str, set[int]]:
    values: dict[str, set[int]] = {axis: set() for axis in AXES}
    for member in space.members(counts, depth, stride=stride):
        for axis in AXES:
            values[axis].add(getattr(member.architecture, axis))
    return values


def _listed(values: tuple[int, ...] | list[int]) -> str:
    more = f" and {len(values) - _FEW} more" if len(values) > _FEW else ""
    return f"{', '.join(map(str, values[:_FEW]))}{more}"
