"""Students as people pick them by hand, at the latency of the search's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ose.core.architecture import Architecture, Counts

TOLERANCE = 0.03
"""Less than the 5 % that rivals may differ by: these are told by a measurement of its own."""

_SMALLEST_INNER, _STEP, _TRIES = 32, 8, 4
_PROPORTION = 4
"""Of the inner width to the stream's, as BERT has it."""

Share = Callable[[Architecture], float]
"""Of the teacher's latency."""


def half_depth(teacher: Architecture, wanted: float, share_of: Share, counts: Counts, step: int) -> Architecture:
    """Half of the layers, and the teacher's proportions in them."""
    depth = teacher.num_hidden_layers // 2
    return _fitted(_by_width(teacher, depth, wanted, counts, step), wanted, share_of, teacher)


def narrow_and_deep(teacher: Architecture, wanted: float, share_of: Share, counts: Counts, step: int) -> Architecture:
    """All layers, and the teacher's proportions in them."""
    depth = teacher.num_hidden_layers
    return _fitted(_by_width(teacher, depth, wanted, counts, step), wanted, share_of, teacher)


def wide_and_shallow(teacher: Architecture, wanted: float, share_of: Share, counts: Counts, step: int) -> Architecture:
    """The teacher's full width, and the fewest layers of it that reach the latency, but not half of them as they are."""
    shapes = (
        replace(teacher, num_hidden_layers=depth)
        for depth in range(1, teacher.num_hidden_layers)
        if 2 * depth != teacher.num_hidden_layers
    )
    reaching = (shape for shape in shapes if share_of(shape) >= wanted)
    return _fitted(reaching, wanted, share_of, teacher)


def _by_width(teacher: Architecture, depth: int, wanted: float, counts: Counts, step: int) -> Iterator[Architecture]:
    """Shapes of a depth, those first whose operations are nearest to the share wanted."""
    whole = counts.flops(teacher, 128)
    shapes = [
        replace(
            teacher,
            num_hidden_layers=depth,
            hidden_size=width,
            intermediate_size=min(_PROPORTION * width, teacher.intermediate_size),
        )
        for width in range(step, teacher.hidden_size + 1, step)
    ]
    yield from sorted(shapes, key=lambda shape: abs(counts.flops(shape, 128) / whole - wanted))


def _fitted(shapes: Iterator[Architecture], wanted: float, share_of: Share, teacher: Architecture) -> Architecture:
    """The first of some shapes whose inner width can be set so that it has the share wanted."""
    for shape in shapes:
        fitted = _with_share(shape, wanted, share_of, teacher.intermediate_size)
        if fitted is not None:
            return fitted
    raise RuntimeError(f"no such student has {wanted:.3f} of the teacher's latency")


def _with_share(shape: Architecture, wanted: float, share_of: Share, most: int) -> Architecture | None:
    """Latency is a straight line in the inner width: the last two measurements tell the next."""
    least = replace(shape, intermediate_size=min(_SMALLEST_INNER, most))
    tried = [least, shape]
    for _ in range(_TRIES):
        if abs(share_of(tried[-1]) / wanted - 1) <= TOLERANCE:
            return tried[-1]
        first, last = tried[-2:]
        slope = (share_of(last) - share_of(first)) / (last.intermediate_size - first.intermediate_size or 1)
        if slope <= 0:
            return None
        inner = _STEP * round((last.intermediate_size + (wanted - share_of(last)) / slope) / _STEP)
        if not least.intermediate_size <= inner <= most:
            return None
        tried.append(replace(shape, intermediate_size=inner))
    return None
