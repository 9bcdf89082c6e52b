"""Read the YAML that people write; each way it can be broken is one clear line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ose.artifacts.bounded import read_at_most
from ose.errors import JobFileError
from ose.limits import operator_limits, setting_of

_MAX_DEPTH = 32
_MAX_DIGITS = 100
"""Of whatever is not text: what to make of longer numbers takes long, and none is meant."""

_TEXT = "tag:yaml.org,2002:str"


class _BoundedLoader(yaml.SafeLoader):
    """A SafeLoader that counts values as it meets them, what an alias stands for each time that it stands there.

    So nothing that unfolds later, aliases and merge keys of aliases, is larger than what was counted.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._most = operator_limits().max_yaml_values
        self._count, self._depth = 0, 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        mark, before, is_alias = self.peek_event().start_mark, self._count, self.check_event(yaml.AliasEvent)
        self._depth += 1
        self._require(self._depth <= _MAX_DEPTH, "it is nested too deeply", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._require(not is_alias or node in self._sizes, "an alias stands inside of what it names", mark)
        self._count += self._sizes[node] if is_alias else 1
        self._sizes.setdefault(node, self._count - before)
        self._require(
            self._count <= self._most, f"it has more than {self._most:,} values ({setting_of('max_yaml_values')})", mark
        )
        is_number = isinstance(node, yaml.ScalarNode) and node.tag != _TEXT
        self._require(not is_number or len(node.value) <= _MAX_DIGITS, "a value is too long for what is no text", mark)
        return node

    def _require(self, holds: bool, problem: str, mark: yaml.Mark) -> None:
        if not holds:
            raise yaml.composer.ComposerError(None, None, problem, mark)


class _StrictLoader(_BoundedLoader):
    """A loader that refuses a key given twice, where YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} is given twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


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
    try:
        content = yaml.load(text, _StrictLoader)
    except yaml.YAMLError as error:
        raise JobFileError(f"{source}: {_place_and_problem(error)}") from error
    except (ValueError, OverflowError, RecursionError) as error:  # dates like 2024-13-01, endless nesting
        raise JobFileError(f"{source}: is no valid YAML: {error}") from error
    if content is None:
        raise JobFileError(f"{source}: is empty")
    if not isinstance(content, dict):
        raise JobFileError(f"{source}: must hold keys and values, not a {type(content).__name__}")
    return content


def _place_and_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}is no valid YAML: {problem}"
