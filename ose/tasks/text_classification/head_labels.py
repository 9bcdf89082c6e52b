"""The labels that a teacher's head can say, by its config.json."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ose.core.shown import NAME, shown
from ose.errors import TeacherError
from ose.tasks.text_classification.kinds import Kind, num_labels

_GENERIC = re.compile(r"label_([0-9]{1,9})", re.IGNORECASE)

_FEW = 8
"""Names that a message lists."""


@dataclass(frozen=True, kw_only=True)
class HeadLabels:
    """What a teacher's head can say.

    Attributes:
        kind: Of the head.
        names: By id; of one logit what the configuration has, which may be nothing.
        aliases: Further names that the configuration gives to ids.
    """

    kind: Kind
    names: tuple[str, ...]
    aliases: Mapping[str, int]

    @property
    def num_labels(self) -> int:
        """How many there are; 1 for one logit."""
        return 1 if self.kind == "one_logit" else len(self.names)

    def id_of_name(self, name: str) -> int | None:
        """The id of the label that is called so; None if there is none, or more than one."""
        if ids := self._ids_named(name):
            return ids[0] if len(ids) == 1 else None
        generic = _GENERIC.fullmatch(name)
        return int(generic[1]) if generic and int(generic[1]) < self.num_labels else None

    def is_name(self, text: str) -> bool:
        """Whether labels are called so, other than by the form `LABEL_3`."""
        return bool(self._ids_named(text))

    def hint(self, name: str) -> str:
        """What to say where a name is none of the teacher's."""
        by_folded = {each.casefold(): each for each in self.names}
        if near := difflib.get_close_matches(name.casefold(), list(by_folded), n=1):
            return f"did you mean {quoted(by_folded[near[0]])}?"
        return f"it has {listed(self.names)}"

    def _ids_named(self, name: str) -> list[int]:
        return self._spelled.get(name) or self._folded.get(name.casefold()) or []

    @cached_property
    def _spelled(self) -> dict[str, list[int]]:
        return _ids_by(lambda name: name, self._named)

    @cached_property
    def _folded(self) -> dict[str, list[int]]:
        return _ids_by(str.casefold, self._named)

    @property
    def _named(self) -> list[tuple[str, int]]:
        return [*zip(self.names, range(len(self.names)), strict=True), *self.aliases.items()]


def head_labels(config: Mapping[str, Any], kind: Kind) -> HeadLabels:
    """The labels of a teacher by its config.json: `id2label`, and what `label2id` adds; or `LABEL_0` and so on.

    Raises:
        TeacherError: The two contradict each other, or ids are not 0, 1, 2 and so on.
    """
    try:
        by_id = {int(index): str(name) for index, name in (config.get("id2label") or {}).items()}
        by_name = {str(name): int(index) for name, index in (config.get("label2id") or {}).items()}
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise TeacherError(
            "id2label and label2id in the teacher's config.json are no tables of names and ids"
        ) from None
    if kind == "one_logit":
        return HeadLabels(kind=kind, names=tuple(by_id.values()), aliases={})
    by_id = by_id or {index: name for name, index in by_name.items()}
    by_id = by_id or {index: f"LABEL_{index}" for index in range(num_labels(config, "the teacher's config.json"))}
    if sorted(by_id) != list(range(len(by_id))):
        raise TeacherError(f"the {len(by_id)} label ids in the teacher's config.json are not 0 to {len(by_id) - 1}")
    names = tuple(by_id[index] for index in sorted(by_id))
    return HeadLabels(kind=kind, names=names, aliases=_aliases(by_name, names))


def listed(names: Sequence[str]) -> str:
    """The first of some names, as a message has them."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(map(quoted, names[:_FEW])) + more


def quoted(raw: Any) -> str:
    """Somebody's name or value in a message."""
    return f"'{shown(raw, NAME)}'"


def _aliases(by_name: Mapping[str, int], names: tuple[str, ...]) -> dict[str, int]:
    """What `label2id` adds to `id2label`; its `LABEL_0` is often left from before labels had names."""
    by_id = HeadLabels(kind="single_label", names=names, aliases={})
    added = {name: index for name, index in by_name.items() if names[index : index + 1] != (name,)}
    for name, index in added.items():
        is_stale = _GENERIC.fullmatch(name) and name not in names
        if not is_stale and (index not in range(len(names)) or by_id.id_of_name(name) not in (None, index)):
            raise TeacherError(f"id2label and label2id in the teacher's config.json disagree on {quoted(name)}")
    return {name: index for name, index in added.items() if not _GENERIC.fullmatch(name)}


def _ids_by(key: Callable[[str], str], named: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for name, index in named:
        if index not in ids.setdefault(key(name), []):
            ids[key(name)].append(index)
    return ids
