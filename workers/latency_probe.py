"""The asking side of the latency process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Self

from pydantic import TypeAdapter

from ose.core.measurement import DeviceFingerprint, LatencyMeasurement, LatencyProtocol
from ose.core.task import LatencyTask
from ose.errors import EvaluationError, WorkerLostError

_FINGERPRINT = TypeAdapter(DeviceFingerprint)
_MEASUREMENT = TypeAdapter(LatencyMeasurement)


class SubprocessLatencyProbe:
    """Starts the latency process on entering, or at the first request, and stops it on closing.

    A process that dies takes one request with it; the next request gets a new one.

    Args:
        protocol: Its device and threads are the process's.
    """

    def __init__(self, protocol: LatencyProtocol) -> None:
        self.protocol = protocol
        self._fingerprint: DeviceFingerprint | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = self._process or self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the process."""
        self._stop()

    def fingerprint(self) -> DeviceFingerprint:
        """The device the process runs on."""
        if self._fingerprint is None:
            self._fingerprint = _FINGERPRINT.validate_python(self._ask({"fingerprint": self.protocol.device}))
        return self._fingerprint

    def measure(self, task: LatencyTask) -> LatencyMeasurement:
        """Measure one architecture.

        Raises:
            WorkerLostError: The process died.
            EvaluationError: It answered with a failure.
        """
        return _MEASUREMENT.validate_python(self._ask({"measure": asdict(task)}))

    def _ask(self, request: object) -> object:
        process = self._process = self._process or self._start()
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line.endswith("\n"):
            raise WorkerLostError(f"the latency process died (exit status {self._stop()})")
        reply = json.loads(line)
        if "failure" in reply:
            raise EvaluationError(f"latency could not be measured: {reply['failure']['message']}")
        return reply["result"]

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "workers.latency_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(self.protocol.threads)},
        )

    def _stop(self) -> int | None:
        """Make sure that the process is gone; return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(BrokenPipeError), process:  # what it has not read is lost with it
            process.kill()
        return process.returncode
