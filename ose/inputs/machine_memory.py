"""How much memory the processes of this machine may take together."""

from __future__ import annotations

from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def machine_memory_bytes() -> int:
    """The machine's memory, or what its container or service is allowed of it."""
    import psutil

    return min([psutil.virtual_memory().total, *_limits(_CGROUPS, _own_groups())])


def _limits(root: Path, groups: list[tuple[str, str]]) -> list[int]:
    """Limits of the process's control groups and of those above them, in either version of the interface."""
    limits = []
    for folder, file in ((root / group.lstrip("/"), file) for group, file in groups):
        inside = [each for each in (folder, *folder.parents) if each.is_relative_to(root)]
        limits += [limit for each in inside if (limit := _limit(each / file)) is not None]
    return limits


def _own_groups() -> list[tuple[str, str]]:
    """Folder and file of each group that may bound memory; a container sees its own as the root."""
    groups = [("", "memory.max"), ("memory", "memory.limit_in_bytes")]
    try:
        lines = _OWN_CGROUP.read_text(encoding="utf8").splitlines()
    except OSError:
        return groups
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if not controllers:
            groups.append((path, "memory.max"))
        elif "memory" in controllers.split(","):
            groups.append((f"memory{path}", "memory.limit_in_bytes"))
    return groups


def _limit(file: Path) -> int | None:
    """What a file allows; None if it is not there, or allows all there is (`max`)."""
    try:
        text = file.read_text(encoding="utf8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
