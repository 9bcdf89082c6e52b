"""Bring an export here: file by file, going on where a connection broke, and checked."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ose.artifacts.files import atomic_directory, storage_errors
from ose.client.transport import Transport
from ose.core.architecture import Architecture
from ose.core.exports import ExportFile, ExportSummary
from ose.errors import ConflictError, ServiceError

_ATTEMPTS = 5
_PARTIAL = 206


def download_export(
    transport: Transport, export: dict[str, Any], output: Path, on_bytes: Callable[[int], None]
) -> ExportSummary:
    """Write an export's files to `output`, all or nothing.

    Args:
        transport: The service.
        export: What it says of the export.
        output: A directory that does not exist yet, or is empty.
        on_bytes: Told how many bytes have arrived.

    Raises:
        ServiceError: The service went away and did not come back, or a file is not what it should be.
        StorageError: `output` cannot be written.
    """
    base = f"/jobs/{export['job']}/exports/{export['id']}/files"
    files = [ExportFile(**file) for file in export["files"]]
    with atomic_directory(output) as folder:
        for file in files:
            _require_plain(file.name)
            download_file(transport, f"{base}/{file.name}", file, folder / file.name, on_bytes)
    weights = next((file.size_bytes for file in files if file.name == "model.safetensors"), 0)
    return ExportSummary(
        folder=str(output),
        architecture=Architecture(**export["architecture"]),
        size_bytes=weights,
        max_logit_difference=export["max_logit_difference"],
    )


def require_free(output: Path) -> None:
    """Make sure that a download would overwrite nothing.

    Raises:
        ConflictError: `output` has something in it.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConflictError(f"{output} exists already and is not empty; choose another --output")


def download_file(
    transport: Transport, path: str, file: ExportFile, target: Path, on_bytes: Callable[[int], None]
) -> None:
    """Fetch one file; what has arrived already is not fetched again."""
    for attempt in range(_ATTEMPTS):
        begun = target.stat().st_size if target.exists() else 0
        if begun < file.size_bytes or not begun:
            try:
                _fetch(transport, path, file, target, begun, on_bytes)
            except ConnectionError as error:
                if attempt == _ATTEMPTS - 1:
                    raise ServiceError(f"the download of {file.name} broke off: {error}") from error
                time.sleep(0.2 * 2**attempt)
                continue
        if _digest(target) == file.sha256:
            return
        target.unlink()
    raise ServiceError(f"{file.name} does not arrive as the service describes it; try again")


def _fetch(
    transport: Transport, path: str, file: ExportFile, target: Path, begun: int, on_bytes: Callable[[int], None]
) -> None:
    headers = {"Range": f"bytes={begun}-", "If-Range": f'"{file.sha256}"'} if begun else {}
    with transport.stream(path, headers) as response, storage_errors(target):
        mode = "ab" if response.status_code == _PARTIAL else "wb"
        with target.open(mode) as content:
            for chunk in response.iter_raw():
                content.write(chunk)
                on_bytes(len(chunk))


def _require_plain(name: str) -> None:
    """A service does not choose where files go on this machine."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise ServiceError(f"the service names a file {name!r}, which is no name of a file")


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
