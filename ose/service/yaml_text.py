"""Read the YAML that people write; each way it can be broken is one clear line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ose.errors import JobFileError


class _StrictLoader(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice, where YAML would silently keep the last."""

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
        JobFileError: There is no such file, or it is a folder, no UTF-8 text or no mapping.
    """
    name = str(path) if str(path).isprintable() else repr(str(path))
    try:
        text = path.read_text(encoding="utf8")
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
        JobFileError: The YAML is broken (line and column are told), empty or no mapping.
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
