"""Job files: YAML in, a validated and frozen `JobSpec` out."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ose.core.former_names import former_corpus, former_recipe, with_columns, without_attempts
from ose.core.plain import plain
from ose.core.presets import spelled_out_in, with_preset
from ose.core.spec import CorpusSpec, JobSpec, TeacherSpec
from ose.errors import JobFileError
from ose.inputs.space_files import load_space
from ose.inputs.validation import validate
from ose.inputs.yaml_text import read_mapping


def load_job_file(path: str | Path) -> JobSpec:
    """Read and check a job file. Paths in it are relative to its folder, or else to the working directory.

    Raises:
        JobFileError: The file is missing, broken or asks for what does not exist; one line names the key.
        SearchSpaceError: Its search space has no valid member.
        NotFoundError: It names a search space that is not shipped.
    """
    path = Path(path)
    return parse_job(read_mapping(path), path.parent, source=str(path))


def parse_job(content: Mapping[str, Any], base_dir: str | Path | None, source: str = "job") -> JobSpec:
    """Check the content of a job file.

    Args:
        content: The keys and values as YAML or JSON gave them.
        base_dir: Folder that relative paths are tried against first; None takes all paths as they stand, which
            are absolute then.
        source: What error messages call the content.

    Raises:
        JobFileError, SearchSpaceError, NotFoundError: As `load_job_file`.
    """
    base_dir = None if base_dir is None else Path(base_dir).absolute()
    content = without_attempts(with_columns(content, source))
    if content.get("extends") is not None:
        raise JobFileError(f"{source}: extends is not for job files; use `ose job extend`")
    if "space" in content:
        if not isinstance(content["space"], (str, Mapping)):
            raise JobFileError(f"{source}: space must be a name, a path, or the four axes")
        content["space"] = load_space(content["space"], base_dir, cited_in=source)
    if "spelled_out" in content:
        raise JobFileError(f"{source}: spelled_out is not for job files")
    recipe = content.get("distillation", {})
    if isinstance(recipe, Mapping):
        content["distillation"] = with_preset(recipe)
    spec = dataclasses.replace(validate(JobSpec, content, source), spelled_out=spelled_out_in(recipe))
    return spec if base_dir is None else _with_absolute_paths(spec, base_dir)


_LATER: dict[tuple[str, ...], object] = {
    ("task",): None,
    ("teacher", "as_is"): False,
    ("corpus", "as_is"): False,
    ("latency", "long_sequence_length"): None,
    ("latency", "seconds_per_shape"): 0.6,
    ("references",): "on",
}
"""Settings that came later, with the value that means what was meant before: hashes of earlier jobs stay."""


def spec_hash(spec: JobSpec) -> str:
    """SHA-256 of the spec's canonical JSON: equal for equal requests, whatever their file looks like.

    What came later and is not used is left out, so that hashes of earlier jobs stay.
    """
    content = plain(spec)
    content["search"]["held_out_sequences"] = spec.search.num_held_out
    for theta, own in zip(content["search"]["hyperparameters"], spec.search.hyperparameters, strict=True):
        theta["learning_rate"] = own.peak_learning_rate
    content["latency"]["sequence_length"] = spec.latency.num_tokens
    content["latency"]["max_attempts"] = 3  # as all had it that named none
    for path, default in _LATER.items():
        _leave_out(content, path, default)
    content["corpus"] = former_corpus(content["corpus"])
    content["distillation"] = former_recipe(spec.distillation)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _leave_out(content: dict[str, Any], path: Sequence[str], default: object) -> None:
    *parents, name = path
    for parent in parents:
        content = content[parent]
    if content[name] == default:
        del content[name]


def _with_absolute_paths(spec: JobSpec, base_dir: Path) -> JobSpec:
    """A frozen job may be run from another folder, so what exists now is named in full."""
    teacher: TeacherSpec = dataclasses.replace(spec.teacher, model=_absolute(spec.teacher.model, base_dir))
    corpus: CorpusSpec = dataclasses.replace(
        spec.corpus,
        train=_all_absolute(spec.corpus.train, base_dir),
        validation=_all_absolute(spec.corpus.validation, base_dir),
        general=_all_absolute(spec.corpus.general, base_dir),
    )
    return dataclasses.replace(spec, teacher=teacher, corpus=corpus)


def _all_absolute(paths: Iterable[str], base_dir: Path) -> tuple[str, ...]:
    return tuple(_absolute(path, base_dir) for path in paths)


def _absolute(text: str, base_dir: Path) -> str:
    """`text` below the first folder where it names, or as a glob matches, something; else as it was."""
    if "\0" in text or not text:
        return text
    relative = Path(text).expanduser() if text.startswith("~/") else Path(text)
    for folder in (base_dir, Path.cwd()):
        if os.path.exists(folder / relative):  # where Path.exists raises for a name that is too long
            return str(folder / relative)
        pattern = str(Path(glob.escape(str(folder))) / relative)
        if glob.has_magic(text) and next(glob.iglob(pattern, recursive=True), None):
            return pattern
    return text
