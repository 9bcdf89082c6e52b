"""Measures latencies in a process of its own: one JSON request a line in, one JSON answer a line out.

It loads one runtime and nothing else that is heavy. It ends when its standard input ends, so it cannot outlive the
process that asked for it.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from ose.core.failures import failure_report
from ose.core.measurement import DeviceFingerprint
from ose.core.messages import LatencyReply, LatencyRequest, SavedModel
from ose.latency.fingerprint import device_fingerprint
from ose.latency.measure import measure_latencies
from ose.runtimes.base import Session
from ose.runtimes.registry import runtime_engine, runtime_rules

_REQUEST = TypeAdapter(LatencyRequest)


class LatencyServer:
    """Measures saved models, which take turns.

    Args:
        runtime: The package of the runtime that runs them.
    """

    def __init__(self, runtime: str) -> None:
        self._rules, self._engine = runtime_rules(runtime), runtime_engine(runtime)

    def measure(self, request: LatencyRequest) -> LatencyReply:
        """Have saved models and a reference take turns.

        Raises:
            DependencyError: The device is not there.
        """

        def opened(model: SavedModel) -> Session:
            return self._engine.open(Path(model.folder), request.protocol)

        return measure_latencies(opened, request, self._fingerprint(request.protocol.device))

    def answer(self, line: str) -> dict[str, object]:
        """Serve one request: `{"fingerprint": device}` or `{"measure": request}`."""
        try:
            request = json.loads(line)
            if "fingerprint" in request:
                return {"result": asdict(self._fingerprint(request["fingerprint"]))}
            return {"result": asdict(self.measure(_REQUEST.validate_python(request["measure"])))}
        except Exception as error:
            return {"failure": asdict(failure_report(error))}

    def serve(self) -> None:
        """Answer requests until the asking process closes the pipe or dies."""
        answers = sys.stdout
        with redirect_stdout(sys.stderr):  # whatever a library prints is no answer
            for line in sys.stdin:
                print(json.dumps(self.answer(line)), file=answers, flush=True)

    def _fingerprint(self, device: str) -> DeviceFingerprint:
        return device_fingerprint(self._rules, self._engine.accelerator(device))
