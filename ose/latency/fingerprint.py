"""Say which hardware and software a measurement belongs to."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from ose.core.measurement import DeviceFingerprint
from ose.runtimes.base import RuntimeRules


def device_fingerprint(runtime: RuntimeRules, accelerator: str | None = None) -> DeviceFingerprint:
    """Describe this machine as a target device, without loading the runtime, which may take seconds.

    Args:
        runtime: What runs models on it.
        accelerator: The device's name if it is no CPU, which the runtime's engine tells.
    """
    return DeviceFingerprint(
        machine=platform.machine(),
        processor=_processor_name(),
        num_cores=_num_cores(),
        accelerator=accelerator,
        operating_system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        runtime=runtime.version(),
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


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
