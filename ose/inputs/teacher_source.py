"""From what people call their teacher to a directory on this machine."""

from __future__ import annotations

from pathlib import Path

from ose.core.hub_names import is_repository
from ose.core.spec import TeacherSpec
from ose.errors import TeacherError
from ose.tasks.teacher_folder import TeacherFolder

_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
_SUBFOLDERS = ["*/*"]
"""Hub repositories keep other formats (ONNX, Core ML) there."""


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
            raise TeacherError(f"teacher {spec.model} is a file; name the directory that holds config.json")
    except (OSError, RuntimeError) as error:  # a name too long, an unknown ~user
        raise TeacherError(f"teacher {spec.model!r}: {getattr(error, 'strerror', None) or error}") from error
    if not is_repository(spec.model):
        raise TeacherError(f"teacher {spec.model!r}: no such directory")
    return download_teacher(spec)


def download_teacher(spec: TeacherSpec) -> TeacherFolder:
    """The directory of a hub id, downloaded or found in the hub's cache, whatever directories have its name.

    Its files are links into the same cache, and may lead nowhere else.

    Raises:
        TeacherError: The hub does not have it or cannot be asked.
    """
    from huggingface_hub import constants, snapshot_download

    try:
        folder = snapshot_download(
            spec.model, revision=spec.revision, allow_patterns=_FILES, ignore_patterns=_SUBFOLDERS
        )
    except Exception as error:  # the hub's client and its HTTP library have some thirty kinds
        raise TeacherError(
            f"teacher {spec.model!r}: no such directory, and not available on the model hub: {_reason(error)}"
        ) from error
    found, cache = Path(folder).resolve(), Path(constants.HF_HUB_CACHE).resolve()
    if not found.is_relative_to(cache):
        raise TeacherError(f"teacher {spec.model!r}: the hub's cache leads out of its own folder; remove it there")
    return TeacherFolder(found, root=cache)


def _reason(error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "its owner restricts access; log in to the hub first"
    if isinstance(error, errors.RevisionNotFoundError):
        return "it has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "it has no such model, or a private one"
    if isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, OSError)):
        return "the hub cannot be reached, and the model is not in the local cache"
    return " ".join(str(error).split())[:200] or type(error).__name__
