"""Which arithmetic to train in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import torch

from ose.core.recipe import Precision

_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""What /proc/cpuinfo says of processors that can: two of x86, one of Arm."""


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Mixed precision for the block: weights stay in float32, matrix products run in bfloat16.

    Args:
        device: Where the block runs.
        precision: `auto` takes bfloat16 where it is native; emulated, it is slower than float32.
    """
    if precision == "float32" or (precision == "auto" and not has_native_bfloat16(device)):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _cpu_has_native_bfloat16()


@cache
def _cpu_has_native_bfloat16() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return False
    return not _BFLOAT16_FLAGS.isdisjoint(cpuinfo.read_text(encoding="utf8").split())
