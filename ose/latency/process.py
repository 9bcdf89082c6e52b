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
from ose.core.measurement import LatencyMeasurement
from ose.core.messages import LatencyRequest
from ose.latency.measure import measure_latency
from ose.latency.target_device import TargetDevice, target_device
from ose.runtimes.registry import runtime_engine, runtime_rules

_REQUEST = TypeAdapter(LatencyRequest)


class LatencyServer:
    """Measures saved models, one after the other.

    Args:
        runtime: The package of the runtime that runs them.
    """

    def __init__(self, runtime: str) -> None:
        self._rules, self._engine = runtime_rules(runtime), runtime_engine(runtime)
        self._devices: dict[str, TargetDevice] = {}

    def measure(self, request: LatencyRequest) -> LatencyMeasurement:
        """Measure a saved model.

        Raises:
            DependencyError: The device is not there.
        """
        session = self._engine.open(Path(request.folder), request.protocol)
        device = self._device(request.protocol.device)
        return measure_latency(session, request.protocol, request.vocab_size, device, request.best_pace_ms)

    def answer(self, line: str) -> dict[str, object]:
        """Serve one request: `{"fingerprint": device}` or `{"measure": request}`."""
        try:
            request = json.loads(line)
            if "fingerprint" in request:
                return {"result": asdict(self._device(request["fingerprint"]).fingerprint)}
            return {"result": asdict(self.measure(_REQUEST.validate_python(request["measure"])))}
        except Exception as error:
            return {"failure": asdict(failure_report(error))}

    def serve(self) -> None:
        """Answer requests until the asking process closes the pipe or dies."""
        answers = sys.stdout
        with redirect_stdout(sys.stderr):  # whatever a library prints is no answer
            for line in sys.stdin:
                print(json.dumps(self.answer(line)), file=answers, flush=True)

    def _device(self, name: str) -> TargetDevice:
        if name not in self._devices:
            self._devices[name] = target_device(self._rules, self._engine, name)
        return self._devices[name]
