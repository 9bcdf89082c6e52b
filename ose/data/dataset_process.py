"""The process that reads a dataset of the hub: `python -m ose.data.dataset_process ID FIELD`.

Writes a JSON object a line: `{"text": ...}` for each document, then `{"end": true}`, or `{"error": ...}`. It ends when
its standard input is closed, which is when the process that started it is gone.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from ose.data.hub_dataset import DatasetId
from ose.data.records import one_line, text_of
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

_THREADS = 2
"""Of pyarrow: each has a stack, which counts."""


def main() -> None:
    """Read the dataset that the arguments name."""
    dataset, text_field = DatasetId(**json.loads(sys.argv[1])), sys.argv[2]
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)  # what libraries print is no document
        try:
            for text in _texts(dataset, text_field):
                _write(output, {"text": text})
            _write(output, {"end": True})
        except CorpusError as error:
            _write(output, {"error": str(error)})


def _texts(dataset: DatasetId, text_field: str) -> Iterator[str]:
    most = operator_limits().max_dataset_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        for row in _rows(dataset):
            yield text_of(row, text_field, str(dataset))
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
    builder = datasets.load_dataset_builder(dataset.name, dataset.configuration, revision=dataset.revision)
    _require_own_files(dataset, builder.config.data_files or {})
    yield from builder.as_streaming_dataset(split=dataset.split)


def _require_own_files(dataset: DatasetId, files: Mapping[str, Iterable[object]]) -> None:
    """Its card may name any file as its own, also one of this machine or of another site."""
    own = ("hf://datasets/", f"{dataset.name}/")
    for file in (str(each) for split in files.values() for each in split):
        if not file.startswith(own) or "/../" in file or "::" in file:
            raise CorpusError(f"dataset {dataset} names files that are not its own, which OSE does not read")


def _end_with_the_caller() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _write(output: BinaryIO, content: dict[str, object]) -> None:
    output.write(json.dumps(content).encode() + b"\n")
    output.flush()


if __name__ == "__main__":
    main()
