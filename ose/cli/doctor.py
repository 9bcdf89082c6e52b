"""`ose doctor`: what is installed, and what to do about what is not."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ose.cli.context import Context, tell
from ose.core.shown import shown
from ose.core.teacher_report import denormal_line
from ose.errors import OseError

if TYPE_CHECKING:
    from ose.workspace import Workspace

Check = Callable[["Workspace"], str]


def doctor(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="A model directory or hub id, to be looked at as a teacher instead.")
    ] = None,
) -> None:
    """Check Python, libraries, devices, database and Ray, or a model: one line each, with what to do."""
    options: Context = context.obj
    with options.this_machine() as workspace:
        checks = _CHECKS if model is None else {"teacher": partial(_teacher, model)}
        failed = [name for name, check in checks.items() if not _passes(name, check, workspace)]
    if failed:
        raise typer.Exit(1)


def _passes(name: str, check: Check, workspace: Workspace) -> bool:
    try:
        for line in check(workspace).splitlines():
            tell(f"ok    {name:<10} {shown(line)}")
    except (OseError, OSError, ImportError) as error:
        tell(f"FAIL  {name:<10} {shown(error)}")
        return False
    return True


def _teacher(model: str, workspace: Workspace) -> str:
    found = workspace.look_at(model)
    left_out = f"left out: {', '.join(found.unused)}" if found.unused else "none is left out"
    slow = denormal_line(found.denormal_share)
    return "\n".join(
        [
            f"{found.model_type} {found.architecture}, {found.num_parameters:,} parameters, for {found.task}",
            f"every tensor that {found.task} needs is there; {left_out}",
            f"all weights are finite, the largest is {found.largest_weight:.3g}; {slow or 'hardly any is denormal'}",
            f"the tokenizer has {found.num_tokens:,} tokens, and the model a row for each",
            "whether it knows your text, a job asks it before anything else",
        ]
    )


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
