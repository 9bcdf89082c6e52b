"""The asking side of the latency process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from select import select
from typing import IO, Protocol, Self

from pydantic import TypeAdapter

from ose.core.measurement import DeviceFingerprint, LatencyProtocol
from ose.core.messages import LatencyReply, LatencyRequest
from ose.errors import EvaluationError, WorkerLostError
from ose.latency.base import LatencyProbe
from ose.latency.fingerprint import device_fingerprint
from ose.runtimes.registry import runtime_package, runtime_rules

_PROGRAM = """
import sys
from ose.core.imports import without_collection
with without_collection():
    from ose.latency.process import LatencyServer
    server = LatencyServer(sys.argv[1])
server.serve()
"""

_CHECK_S = 1.0

_FINGERPRINT = TypeAdapter(DeviceFingerprint)
_REPLY = TypeAdapter(LatencyReply)


class SubprocessLatencyProbe:
    """Starts the latency process when told to, or at the first request that needs it, and stops it on closing.

    A process that dies takes one request with it; the next request gets a new one.

    Args:
        protocol: Its device and threads are the process's.
        runtime: The package of the runtime that the process loads; None takes the protocol's.
    """

    def __init__(self, protocol: LatencyProtocol, runtime: str | None = None) -> None:
        self.protocol = protocol
        self._runtime = runtime or runtime_package(protocol.runtime)
        self._fingerprint: DeviceFingerprint | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process; it gets ready by itself."""
        self._process = self._process or self._started()

    def close(self) -> None:
        """Stop the process."""
        self._stop()

    def fingerprint(self) -> DeviceFingerprint:
        """The device the process runs on; only for a GPU does it take the process to know."""
        if self.protocol.device == "cpu":
            return device_fingerprint(runtime_rules(self._runtime))
        if self._fingerprint is None:
            self._fingerprint = _FINGERPRINT.validate_python(self._ask({"fingerprint": self.protocol.device}))
        return self._fingerprint

    def measure(self, request: LatencyRequest, check: Callable[[], None] = lambda: None) -> LatencyReply:
        """Have saved models and a reference take turns.

        Raises:
            WorkerLostError: The process died.
            EvaluationError: It answered with a failure, such as one of the reference.
        """
        return _REPLY.validate_python(self._ask({"measure": asdict(request)}, check))

    def _ask(self, request: object, check: Callable[[], None] = lambda: None) -> object:
        self.start()
        process = self._process
        assert process and process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = _line(process.stdout, check)
        except BrokenPipeError:
            line = ""
        except BaseException:  # its answer must not be taken for that of a later request
            self._stop()
            raise
        if not line.endswith("\n"):
            raise WorkerLostError(f"the latency process died (exit status {self._stop()})")
        reply = json.loads(line)
        if "failure" in reply:
            raise EvaluationError(f"latency could not be measured: {reply['failure']['message']}")
        return reply["result"]

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, self._runtime],
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


def _line(stream: IO[str], check: Callable[[], None]) -> str:
    """The next line; it is the only one that is on its way."""
    while not select([stream], [], [], _CHECK_S)[0]:
        check()
    return stream.readline()


class KeptProbe(LatencyProbe, Protocol):
    """A probe of one protocol that can be closed."""

    protocol: LatencyProtocol

    def close(self) -> None:
        """Stop what was started."""


class ProbeKeeper:
    """Keeps one probe between requests: starting it takes longer than a measurement.

    Args:
        make: Makes a probe for a protocol.
    """

    def __init__(self, make: Callable[[LatencyProtocol], KeptProbe]) -> None:
        self._make = make
        self._probe: KeptProbe | None = None

    def probe(self, protocol: LatencyProtocol) -> KeptProbe:
        """The probe for this protocol; one for another protocol is closed."""
        if self._probe is None or self._probe.protocol != protocol:
            self.close()
            self._probe = self._make(protocol)
        return self._probe

    def close(self) -> None:
        """Close the probe, if there is one."""
        if self._probe is not None:
            self._probe.close()
            self._probe = None
