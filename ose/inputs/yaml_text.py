"""Read the YAML 1.2 that people write; each way it can be broken is one clear line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import StringMark, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from ose.artifacts.bounded import read_at_most
from ose.core.bounds import whole_power
from ose.errors import JobFileError
from ose.limits import operator_limits, setting_of

_MAX_DEPTH = 32
_MAX_DIGITS = 100
"""Of whatever is not text: what to make of longer numbers takes long, and none is meant."""

_TAGS = "tag:yaml.org,2002:"
_TEXT, _MERGE, _DATE, _FLOAT = (f"{_TAGS}{name}" for name in ("str", "merge", "timestamp", "float"))
_CORE = [f"{_TAGS}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")]


class _BoundedComposer(Composer):
    """Counts values as it meets them, what an alias stands for each time that it stands there, and looks at keys.

    So nothing that unfolds later, aliases and merge keys of aliases, is larger than what was counted.
    """

    def __init__(self, loader: YAML) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False
        self._most = operator_limits().max_yaml_values
        self._count = 0
        self._sizes: dict[Node, int] = {}

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        event, before = self.parser.peek_event(), self._count
        node: Node = super().compose_node(parent, index)
        mark, is_alias = event.start_mark, isinstance(event, AliasEvent)
        _require(not is_alias or node in self._sizes, "an alias stands inside of what it names", mark)
        self._count += self._sizes[node] if is_alias else 1
        self._sizes.setdefault(node, self._count - before)
        _require(
            self._count <= self._most, f"it has more than {self._most:,} values ({setting_of('max_yaml_values')})", mark
        )
        is_number = isinstance(node, ScalarNode) and node.tag != _TEXT
        _require(not is_number or len(node.value) <= _MAX_DIGITS, "a value is too long for what is no text", mark)
        return node

    def compose_mapping_node(self, anchor: str | None) -> MappingNode:
        node: MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        _require(not _lacks_braces(node), _NO_BRACES.format(_shown_key(node)), node.start_mark)
        for key, _ in node.value:
            is_text = isinstance(key, ScalarNode) and key.tag in (_TEXT, _MERGE)
            _require(is_text, "a key is no text; quote it, and write numbers without commas", key.start_mark)
            _require(key.value not in seen, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return node


_NO_BRACES = (
    "in a list, {0}: ... is a mapping of one key by itself; put braces around what belongs together: [{{{0}: ...}}]"
)


def _lacks_braces(node: MappingNode) -> bool:
    """Whether a mapping stands in a list in brackets without braces of its own: `[batch: 32, steps: 3]` has two."""
    first = node.value[0][0] if node.value else None
    return bool(node.flow_style and first is not None and first.start_mark.index == node.start_mark.index)


def _shown_key(node: MappingNode) -> str:
    key = node.value[0][0] if node.value else None
    return str(key.value)[:40] if isinstance(key, ScalarNode) else "a key"


class _CoreConstructor(SafeConstructor):
    """Makes what JSON has too, and nothing else: no sets, no bytes, and a date is text, as YAML 1.2 has it."""

    yaml_constructors = {
        **{tag: SafeConstructor.yaml_constructors[tag] for tag in (*_CORE, None)},
        _DATE: SafeConstructor.construct_yaml_str,
        _FLOAT: lambda self, node: whole_power(node.value, SafeConstructor.construct_yaml_float(self, node)),
    }


def _require(holds: bool, problem: str, mark: StringMark) -> None:
    if not holds:
        raise ComposerError(None, None, problem, mark)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a file that holds one YAML mapping.

    Raises:
        JobFileError: There is no such file, or it is a folder, too large, no UTF-8 text or no mapping.
    """
    name = str(path) if str(path).isprintable() else repr(str(path))
    try:
        with path.open("rb") as file:
            text = read_at_most(file, name, "max_yaml_bytes", JobFileError).decode("utf8")
    except JobFileError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise JobFileError(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise JobFileError(f"{name}: is a folder, not a YAML file") from error
    except UnicodeDecodeError as error:
        raise JobFileError(f"{name}: is no UTF-8 text (byte {error.start} cannot be decoded)") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise JobFileError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return parse_mapping(text, name)


def parse_mapping(text: str, source: str) -> dict[str, Any]:
    """Parse text that holds one YAML mapping.

    Args:
        text: YAML; only plain values, never Python objects.
        source: What error messages call it.

    Raises:
        JobFileError: The YAML is broken (line and column are told), empty, no mapping, or has too many values.
    """
    if _OLD_YAML.search(text):
        raise JobFileError(
            f"{source}: %YAML 1.1 reads 1:30 as 90 and yes as true; leave that line out, this is YAML 1.2"
        )
    try:
        content = _reader().load(text)
    except YAMLError as error:
        raise JobFileError(f"{source}: {_place_and_problem(error)}{_open_list(error, text)}") from error
    except (ValueError, LookupError, OverflowError, AssertionError) as error:  # !!int '', %YAML 3.0
        raise JobFileError(f"{source}: is no valid YAML: {error}") from error
    if content is None:
        raise JobFileError(f"{source}: is empty")
    if not isinstance(content, dict):
        raise JobFileError(f"{source}: must hold keys and values, not a {type(content).__name__}")
    return content


_OLD_YAML = re.compile(r"(?m)^%YAML[ \t]+1\.[01]\b")
_KEY_BEFORE = re.compile(r"([\w.-]+)[ \t]*:[ \t]*$")


def _open_list(error: YAMLError, text: str) -> str:
    """Which list or mapping in brackets the parser was in: where it stumbles is often a key further down."""
    mark = getattr(error, "context_mark", None)
    if mark is None or "flow" not in (getattr(error, "context", None) or ""):
        return ""
    before = text.splitlines()[mark.line][: mark.column]
    key = _KEY_BEFORE.search(before)
    return f"; is {key[1] if key else 'the bracket'} in line {mark.line + 1}, column {mark.column + 1}, not closed?"


def _reader() -> YAML:
    reader = YAML(typ="safe", pure=True)
    reader.Composer, reader.Constructor = _BoundedComposer, _CoreConstructor  # type: ignore[assignment]
    reader.max_depth = _MAX_DEPTH
    return reader


def _place_and_problem(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if isinstance(error, MaxDepthExceededError):
        problem = "it is nested too deeply"
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}is no valid YAML: {' '.join(problem.split())}"
