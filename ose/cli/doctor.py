"""`ose doctor`: what is installed, and what to do about what is not."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ose.cli.context import Context, tell
from ose.core.shown import shown
from ose.errors import OseError

if TYPE_CHECKING:
    from ose.workspace import Workspace

Check = Callable[["Workspace"], str]


def doctor(context: typer.Context) -> None:
    """Check Python, libraries, devices, database and Ray: one line each, with what to do."""
    options: Context = context.obj
    with options.this_machine() as workspace:
        failed = [name for name, check in _CHECKS.items() if not _passes(name, check, workspace)]
    if failed:
        raise typer.Exit(1)


def _passes(name: str, check: Check, workspace: Workspace) -> bool:
    try:
        tell(f"ok    {name:<10} {shown(check(workspace))}")
    except (OseError, OSError, ImportError) as error:
        tell(f"FAIL  {name:<10} {shown(error)}")
        return False
    return True


def _python(workspace: Workspace) -> str:
    return f"{platform.python_version()} at {sys.executable}"


def _libraries(workspace: Workspace) -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "ray", "sqlalchemy"))


def _machine(workspace: Workspace) -> str:
    import psutil

    memory = psutil.virtual_memory()
    load = psutil.getloadavg()[0]
    advice = "; busy: latencies measured now may be flagged" if load > 0.5 * (os.cpu_count() or 1) else ""
    memory_free = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    return f"{os.cpu_count()} cores, {memory_free}, load {load:.1f}{advice}"


def _devices(workspace: Workspace) -> str:
    gpus = sorted(Path("/proc/driver/nvidia/gpus").glob("*")) if Path("/proc/driver/nvidia/gpus").exists() else []
    return f"cpu and {len(gpus)} NVIDIA GPU(s)" if gpus else "cpu (no NVIDIA GPU; latency.device: cpu)"


def _database(workspace: Workspace) -> str:
    return f"{len(workspace.jobs(limit=1000))} job(s) in {workspace.home}"


def _ray(workspace: Workspace) -> str:
    address = workspace.ray_address
    return f"joins {address}" if address else "started on loopback for jobs with more than one worker"


def _spaces(workspace: Workspace) -> str:
    from ose.inputs.space_files import shipped_spaces

    return ", ".join(f"{space.name} ({space.size})" for space in shipped_spaces())


_CHECKS: dict[str, Check] = {
    "python": _python,
    "libraries": _libraries,
    "machine": _machine,
    "devices": _devices,
    "database": _database,
    "ray": _ray,
    "spaces": _spaces,
}
