"""What Ray and its processes are told by environment variables, before Ray is imported."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a stray call after the end must not start another cluster
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
"""No telemetry, no result files, no words of Ray's between our own."""

LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Makes 127.0.0.1 the node's address. All who reach Ray's ports can run code, and by default they are open to
every network of the machine."""

KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "99999999999",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",  # Tune runs us in a second thread, whose own arena would heed none of the above
}
"""Has training processes keep large blocks. glibc gives them back and takes them again in every step, at some
70,000 page faults a step for a student of 4 layers of 256."""


def prepare_environment(*, is_local: bool) -> None:
    """Set what Ray reads as it is imported, and what the processes it starts inherit.

    Variables that are set already stay as they are, so that people can override them.

    Args:
        is_local: Whether the cluster is to be started here, on loopback.
    """
    for name, value in {**QUIET, **(LOOPBACK_ONLY if is_local else {})}.items():
        os.environ.setdefault(name, value)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have the processes started meanwhile, and theirs, inherit these variables.

    A runtime environment would do the same, at the price of an agent that each new process waits for.
    """
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)
