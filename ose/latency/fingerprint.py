"""Say which hardware and software a measurement belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from ose.core.measurement import DeviceFingerprint


def device_fingerprint(device: str) -> DeviceFingerprint:
    """Describe this machine as a target device. Of a CPU it is known without loading torch, which takes seconds.

    Args:
        device: `cpu` or `cuda[:index]`.
    """
    return DeviceFingerprint(
        machine=platform.machine(),
        processor=_processor_name(),
        num_cores=_num_cores(),
        accelerator=_accelerator(device),
        operating_system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        runtime=f"torch {version('torch')}",
    )


def load_average() -> float:
    """The machine's one-minute load average."""
    return os.getloadavg()[0]


def _num_cores() -> int:
    """Physical cores; all that the system counts where psutil is missing, as on a machine made for its GPU alone."""
    try:
        import psutil
    except ImportError:
        return os.cpu_count() or 1
    return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1


def _accelerator(device: str) -> str | None:
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.get_device_name(device)


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
