"""Stream a dataset of the hub, by an id such as `hf:Salesforce/wikitext/wikitext-2-raw-v1:train`.

An id reads `[hf:]NAME[@REVISION][:SPLIT]`. NAME is `dataset`, `owner/dataset` or `owner/dataset/configuration`;
SPLIT is `train` unless given. Without `hf:` it must not be the name of a file. Datasets that need code of their own
are refused.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from subprocess import DEVNULL, PIPE

from ose.core.hub_names import is_hub_part, is_revision
from ose.data.records import Record, one_line
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

_PREFIX = "hf:"
_ID = re.compile(r"(?P<name>[\w-][\w.-]*(/[\w-][\w.-]*){0,2})(@(?P<revision>[\w.-]+))?(:(?P<split>[\w.-]+))?")
_FILE_SUFFIXES = (
    ".txt", ".text", ".md", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".xz", ".zst", ".bz2",
    ".zip",
)  # fmt: skip
"""A name that ends so is a misspelt file, not a dataset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetId:
    """One split of one dataset."""

    name: str
    configuration: str | None = None
    revision: str | None = None
    split: str = "train"

    def __str__(self) -> str:
        name = f"{self.name}/{self.configuration}" if self.configuration else self.name
        return f"{_PREFIX}{name}{f'@{self.revision}' if self.revision else ''}:{self.split}"


def parse_dataset_id(text: str) -> DatasetId | None:
    """Read a dataset's id; None if `text` must be meant as a file.

    Raises:
        CorpusError: It begins with `hf:` but is no id.
    """
    has_prefix = text.startswith(_PREFIX)
    if not has_prefix and (text.endswith(_FILE_SUFFIXES) or os.path.exists(text)):
        return None
    match = _ID.fullmatch(text.removeprefix(_PREFIX))
    if match is None or not _can_be_asked_for(match):
        if has_prefix:
            raise CorpusError(f"{text!r} is no dataset id; write hf:owner/dataset[/configuration][@revision][:split]")
        return None
    owner_and_name, *configuration = match["name"].rsplit("/", 1) if match["name"].count("/") == 2 else [match["name"]]
    return DatasetId(
        name=owner_and_name,
        configuration=configuration[0] if configuration else None,
        revision=match["revision"],
        split=match["split"] or "train",
    )


def _can_be_asked_for(match: re.Match[str]) -> bool:
    parts = [*match["name"].split("/"), *([match["split"]] if match["split"] else [])]
    return all(map(is_hub_part, parts)) and (match["revision"] is None or is_revision(match["revision"]))


def pin_revision(dataset: DatasetId) -> DatasetId:
    """The same dataset at the commit that its revision names now, so that a job reads the same text for ever.

    Raises:
        CorpusError: The hub does not have it or cannot be asked.
    """
    from huggingface_hub import HfApi

    try:
        return replace(dataset, revision=HfApi().dataset_info(dataset.name, revision=dataset.revision).sha)
    except Exception as error:  # the hub's client and its HTTP library have some thirty kinds
        raise CorpusError(
            f"{str(dataset).removeprefix(_PREFIX)!r}: no such file, and not available as a dataset of the hub: "
            f"{one_line(error)}"
        ) from error


def iter_dataset(dataset: DatasetId, columns: Sequence[str]) -> Iterator[Record]:
    """Yield the named columns of a dataset's rows as they arrive; nothing is stored.

    Its builder unpacks what it likes, a parquet file whole row groups: so it runs in a process of its own, which gets
    no more memory than `max_dataset_bytes`.

    Raises:
        CorpusError: The dataset cannot be had, lacks a column, names files that are not its own, or needs more
            memory.
    """
    asked = (json.dumps(asdict(dataset)), json.dumps(list(columns)))
    command = [sys.executable, "-P", "-m", "ose.data.dataset_process", *asked]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment) as reader:
        assert reader.stdout is not None
        try:
            for number, line in enumerate(reader.stdout, start=1):
                match json.loads(line):
                    case {"values": values}:
                        yield Record(f"dataset {dataset}, row {number}", values)
                    case {"error": message}:
                        raise CorpusError(message)
                    case {"end": _}:
                        return
            most = operator_limits().max_dataset_bytes  # an allocator that is refused may end its process
            raise CorpusError(
                f"dataset {dataset} cannot be read in {most:,} bytes of memory ({setting_of('max_dataset_bytes')})"
            )
        finally:
            reader.kill()
