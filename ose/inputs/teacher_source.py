"""From what people call their teacher to a directory on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ose.core.hub_names import is_repository
from ose.core.spec import TeacherSpec
from ose.errors import OseError, TeacherError
from ose.inputs.other_formats import MARKERS
from ose.inputs.weight_formats import format_of
from ose.limits import require_within
from ose.tasks.teacher_folder import SMALL_FILES, TOKENIZERS, WEIGHTS, TeacherFolder
from ose.tasks.teacher_settings import CONFIG

_FILES: dict[str, Any] = {"allow_patterns": [*SMALL_FILES, *MARKERS, "*.safetensors"], "ignore_patterns": ["*/*"]}
"""In subfolders, hub repositories keep other formats (ONNX, Core ML)."""


def locate_teacher(spec: TeacherSpec) -> TeacherFolder:
    """The teacher's directory; a hub id is downloaded, or found in the hub's cache.

    A directory of that name comes first. Pickles are never fetched.

    Raises:
        TeacherError: There is no such directory, and the hub does not have it or cannot be asked.
    """
    try:
        path = Path(spec.model).expanduser()
        if spec.model and path.is_dir():
            return TeacherFolder(path.resolve())
        if path.is_file():
            kind = format_of(path)
            told = f", {kind}" if kind else "; name the directory that holds config.json"
            raise TeacherError(f"teacher {spec.model} is a file{told}")
    except (OSError, RuntimeError) as error:  # a name too long, an unknown ~user
        raise TeacherError(f"teacher {spec.model!r}: {getattr(error, 'strerror', None) or error}") from error
    if not is_repository(spec.model):
        raise TeacherError(f"teacher {spec.model!r}: no such directory")
    return download_teacher(spec)


def download_teacher(spec: TeacherSpec) -> TeacherFolder:
    """The directory of a hub id, downloaded or found in the hub's cache, whatever directories have its name.

    Its files are links into the same cache, and may lead nowhere else.

    Raises:
        TeacherError: The hub does not have it or cannot be asked, or it is larger than the operator allows.
    """
    from huggingface_hub import constants

    try:
        folder = _fetch(spec)
    except OseError:
        raise
    except Exception as error:  # the hub's client and its HTTP library have some thirty kinds
        raise TeacherError(
            f"teacher {spec.model!r}: no such directory, and not available on the model hub: {_reason(error)}"
        ) from error
    found, cache = Path(folder).resolve(), Path(constants.HF_HUB_CACHE).resolve()
    if not found.is_relative_to(cache):
        raise TeacherError(f"teacher {spec.model!r}: the hub's cache leads out of its own folder; remove it there")
    return TeacherFolder(found, root=cache)


def _fetch(spec: TeacherSpec) -> str:
    """The folder of a commit whose files the hub has told the sizes of, or what the cache has where it cannot tell."""
    from huggingface_hub import HfApi, constants, snapshot_download

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # what it warns of is told here, where it matters
    try:
        revision = HfApi().resolve_revision(spec.model, revision=spec.revision)
        files = HfApi().model_info(spec.model, revision=revision.resolved, files_metadata=True).siblings or []
    except Exception as error:
        try:
            found = snapshot_download(spec.model, revision=spec.revision, local_files_only=True, **_FILES)
        except FileNotFoundError:
            raise error from None
        _require_whole(spec, TeacherFolder(Path(found), root=Path(constants.HF_HUB_CACHE).resolve()))
        return str(found)
    _require_bounded(spec, {file.rfilename: file.size for file in files})
    return str(snapshot_download(spec.model, revision=revision, **_FILES))


def _require_whole(spec: TeacherSpec, folder: TeacherFolder) -> None:
    """Refuse what a fetch that was broken off has left in the cache."""
    weights = folder.weights() or (WEIGHTS,)
    lacking = [name for name in (CONFIG, *weights) if not (folder.path / name).exists()]
    if not any(all((folder.path / name).exists() for name in files) for files in TOKENIZERS):
        lacking.append(TOKENIZERS[0][0])
    if lacking:
        raise TeacherError(
            f"teacher {spec.model!r}: the hub cannot be asked, and its cache has only a part of the model, without "
            f"{lacking[0]}; fetch it once where there is a network: hf download {spec.model}"
        )


def _require_bounded(spec: TeacherSpec, sizes: Mapping[str, int | None]) -> None:
    """Hold what would be fetched against the limits, before any of it is."""
    wanted = {name: _size(spec, name, sizes[name]) for name in sizes if _is_wanted(name)}
    for name, size in wanted.items():
        if name in SMALL_FILES:
            require_within(
                "max_teacher_file_bytes", size, f"teacher {spec.model!r}: {name} has {size:,} bytes", TeacherError
            )
    total = sum(wanted.values())
    require_within("max_teacher_bytes", total, f"teacher {spec.model!r} has {total:,} bytes", TeacherError)


def _is_wanted(name: str) -> bool:
    return name in SMALL_FILES or (name.endswith(".safetensors") and "/" not in name)


def _size(spec: TeacherSpec, name: str, size: int | None) -> int:
    if size is None:
        raise TeacherError(f"teacher {spec.model!r}: the hub does not say how large {name} is, so it is not fetched")
    return size


def _reason(error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "its owner restricts access; log in to the hub first"
    if isinstance(error, errors.RevisionNotFoundError):
        return "it has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "it has no such model, or a private one"
    if isinstance(error, (errors.RevisionResolutionError, OSError)):
        return "the hub cannot be reached, and the model is not in the local cache"
    return " ".join(str(error).split())[:200] or type(error).__name__
