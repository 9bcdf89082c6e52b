"""The process that reads a dataset of the hub: `python -m ose.data.dataset_process ID COLUMNS`.

Writes a JSON object a line: `{"values": {...}}` for each row, then `{"end": true}`, or `{"error": ...}`. It ends when
its standard input is closed, which is when the process that started it is gone.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from ose.data.hub_dataset import DatasetId
from ose.data.records import one_line, require_columns
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

_THREADS = 2
"""Of pyarrow: each has a stack, which counts."""


def main() -> None:
    """Read the dataset that the arguments name."""
    dataset, columns = DatasetId(**json.loads(sys.argv[1])), json.loads(sys.argv[2])
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)  # what libraries print is no row
        try:
            for values in _values(dataset, columns):
                _write(output, {"values": values})
            _write(output, {"end": True})
        except CorpusError as error:
            _write(output, {"error": str(error)})


def _values(dataset: DatasetId, columns: Sequence[str]) -> Iterator[dict[str, object]]:
    most = operator_limits().max_dataset_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        for row in _rows(dataset):
            require_columns(row, columns, f"dataset {dataset}")
            yield {column: row[column] for column in columns}
    except CorpusError:
        raise
    except MemoryError as error:
        limit = f"{most:,} bytes of memory ({setting_of('max_dataset_bytes')})"
        raise CorpusError(f"dataset {dataset} cannot be read in {limit}") from error
    except Exception as error:  # whatever its builders, file formats and HTTP library raise
        raise CorpusError(f"dataset {dataset} cannot be read: {one_line(error)}") from error


def _rows(dataset: DatasetId) -> Iterator[dict[str, object]]:
    import datasets
    import pyarrow

    pyarrow.set_cpu_count(_THREADS)
    pyarrow.set_io_thread_count(_THREADS)
    _look_at_patterns_first(dataset)
    builder = datasets.load_dataset_builder(dataset.name, dataset.configuration, revision=dataset.revision)
    _require_own_files(dataset, builder.config.data_files or {})
    yield from builder.as_streaming_dataset(split=dataset.split)


def _look_at_patterns_first(dataset: DatasetId) -> None:
    """Its card may have patterns, for which the library would go through the whole disk, or ask another site."""
    from datasets import data_files
    from datasets.utils.file_utils import is_relative_path

    resolve = data_files.resolve_pattern

    def resolve_own(pattern: str, base_path: str, *more: Any, **options: Any) -> list[str]:
        _require_own(dataset, f"{base_path}/{pattern}" if is_relative_path(pattern) else pattern)
        found: list[str] = resolve(pattern, base_path, *more, **options)
        return found

    data_files.resolve_pattern = resolve_own  # the one place at which the library looks for files


def _require_own_files(dataset: DatasetId, files: Mapping[str, Iterable[object]]) -> None:
    """What was found for its patterns, too, is looked at before it is read."""
    for file in (str(each) for split in files.values() for each in split):
        _require_own(dataset, file)


def _require_own(dataset: DatasetId, file: str) -> None:
    """Its card may name any file as its own, also one of this machine or of another site."""
    own = ("hf://datasets/", f"{dataset.name}/")
    if not file.startswith(own) or ".." in file.split("/") or "::" in file:
        raise CorpusError(f"dataset {dataset} names files that are not its own, which OSE does not read")


def _end_with_the_caller() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _write(output: BinaryIO, content: dict[str, object]) -> None:
    output.write(json.dumps(content, default=_kind, skipkeys=True).encode() + b"\n")
    output.flush()


def _kind(value: object) -> dict[str, str]:
    """What stands for a time, a picture or whatever else is no JSON: nothing that a column may hold."""
    return {"kind": type(value).__name__}


if __name__ == "__main__":
    main()
