"""The device as the process that measures on it knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ose.core.measurement import DeviceFingerprint
from ose.latency.fingerprint import device_fingerprint
from ose.latency.reference_pace import Patience, machine_pace_ms
from ose.runtimes.base import Engine, RuntimeRules


@dataclass(frozen=True, slots=True)
class TargetDevice:
    """Shared by all measurements of a process, so that a machine that has become slow for good costs one wait.

    Attributes:
        pace_ms: How fast the machine is now.
        patience: What waiting for it is left.
    """

    fingerprint: DeviceFingerprint
    pace_ms: Callable[[], float]
    patience: Patience


def target_device(runtime: RuntimeRules, engine: Engine, device: str) -> TargetDevice:
    """This machine's `cpu` or `cuda[:index]`, as a runtime sees it."""
    pace_ms = partial(machine_pace_ms, engine)
    return TargetDevice(device_fingerprint(runtime, engine.accelerator(device)), pace_ms, Patience(pace_ms))
