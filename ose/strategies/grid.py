"""A space as the grid of its axes, for samplers that know of axes alone: what they ask for is moved to a member."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ose.core.architecture import BERT, Architecture
from ose.core.job import Candidate, layers_text
from ose.core.search_space import SLICE, Member, SearchSpace
from ose.core.spec import Hyperparameters

Value = int | str
Point = tuple[int, ...]
"""An index into each axis."""

_SHAPE_AXES = ("num_attention_heads", "intermediate_size", "num_hidden_layers", "hidden_size")
"""In the order in which a neighbour is looked for: heads first, which change neither size nor operations."""

_LAYERS, _THETA = "layers", "hyperparameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A place of the grid that can be trained.

    Attributes:
        values: Of each axis, under its name.
    """

    values: Mapping[str, Value]
    member: Member
    hyperparameters: Hyperparameters


class Grid:
    """Members of a space with every element of Theta, found by the values of their axes. Each is handed out once.

    Nothing is listed: a space may have millions of members.

    Args:
        space: The axes. Combinations that are no member are never handed out.
        theta: A last axis, numbered from 1, if there are several.
        num_teacher_layers: The teacher's depth.
        is_allowed: What is to be handed out.
        heed: Called before every look for a cell, and again and again in one that takes long: what it raises ends it.
        family: Of the members.
    """

    def __init__(
        self,
        space: SearchSpace,
        theta: Sequence[Hyperparameters],
        num_teacher_layers: int,
        is_allowed: Callable[[Architecture], bool] = lambda _: True,
        heed: Callable[[], None] = lambda: None,
        family: str = BERT,
    ) -> None:
        self._space = space
        self._theta = theta
        self._depth = num_teacher_layers
        self._family = family
        self._is_allowed = is_allowed
        self._heed = heed
        self._layers = {layers_text(layers): layers for layers in space.layers}
        self._taken: set[Point] = set()
        self.sizes: dict[str, tuple[int, ...]] = {name: getattr(space, name) for name in _SHAPE_AXES}
        """Axes whose values have an order."""
        kinds: dict[str, tuple[Value, ...]] = {_LAYERS: tuple(self._layers), _THETA: tuple(range(1, len(theta) + 1))}
        self.kinds: dict[str, tuple[Value, ...]] = {name: values for name, values in kinds.items() if len(values) > 1}
        """Axes whose values have none."""

    @property
    def num_cells(self) -> int:
        """Members times elements of Theta, allowed or not."""
        return self._space.count(self._depth) * len(self._theta)

    def nearest(self, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
        """The cell nearest to some values that has not been taken, by its values; None if all have been.

        Near is what differs by few steps along axes. Axes without an order differ by one.
        """
        for number, point in enumerate(self._outwards(self._point(values))):
            if number % SLICE == 0:
                self._heed()
            if point not in self._taken and self._is_cell(point):
                return self._values(point)
        return None

    def take(self, values: Mapping[str, Value]) -> Cell:
        """Take a cell, so that no other one is moved to it."""
        self._taken.add(self._point(values))
        shape = self._shape(values)
        chosen = self._layers.get(str(values.get(_LAYERS, next(iter(self._layers), ""))))
        theta = self._theta[int(values.get(_THETA, 1)) - 1]
        return Cell(values=values, member=Member(architecture=shape, layers=chosen), hyperparameters=theta)

    def values_of(self, candidate: Candidate) -> Mapping[str, Value]:
        """The cell of a candidate, by its values."""
        kinds: dict[str, Value] = {_THETA: self._theta.index(candidate.hyperparameters) + 1}
        if candidate.layers is not None:
            kinds[_LAYERS] = layers_text(candidate.layers)
        sizes = {name: getattr(candidate.architecture, name) for name in self.sizes}
        return {**sizes, **{name: kinds[name] for name in self.kinds}}

    @property
    def _axes(self) -> dict[str, tuple[Value, ...]]:
        return {**self.sizes, **self.kinds}

    def _point(self, values: Mapping[str, Value]) -> Point:
        sizes = (_nearest_index(axis, int(values[name])) for name, axis in self.sizes.items())
        return (*sizes, *(axis.index(values[name]) for name, axis in self.kinds.items()))

    def _values(self, point: Point) -> dict[str, Value]:
        return {name: axis[index] for (name, axis), index in zip(self._axes.items(), point, strict=True)}

    def _is_cell(self, point: Point) -> bool:
        values = self._values(point)
        heads, depth, hidden = (
            int(values[name]) for name in ("num_attention_heads", "num_hidden_layers", "hidden_size")
        )
        if hidden % heads:
            return False
        if self._layers and not self._keeps_layers(depth, values):
            return False
        return self._is_allowed(self._shape(values))

    def _shape(self, values: Mapping[str, Value]) -> Architecture:
        sizes = {name: int(values[name]) for name in _SHAPE_AXES}
        return Architecture(**sizes, family=self._family)

    def _keeps_layers(self, depth: int, values: Mapping[str, Value]) -> bool:
        chosen = self._layers[str(values.get(_LAYERS, next(iter(self._layers))))]
        return chosen in self._space.layer_choices(depth, self._depth)

    def _outwards(self, start: Point) -> Iterator[Point]:
        """All points, the nearest first."""
        seen, waiting = {start}, deque([start])
        while waiting:
            point = waiting.popleft()
            yield point
            new = [neighbour for neighbour in self._neighbours(point) if neighbour not in seen]
            seen.update(new)
            waiting.extend(new)

    def _neighbours(self, point: Point) -> Iterator[Point]:
        for place, (name, axis) in enumerate(self._axes.items()):
            index = point[place]
            others = (index - 1, index + 1) if name in self.sizes else range(len(axis))
            for other in others:
                if other != index and 0 <= other < len(axis):
                    yield (*point[:place], other, *point[place + 1 :])


def _nearest_index(axis: Sequence[int], value: int) -> int:
    return min(range(len(axis)), key=lambda index: abs(axis[index] - value))
