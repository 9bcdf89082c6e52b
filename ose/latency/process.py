"""Measures latencies in a process of its own: one JSON request a line in, one JSON answer a line out.

It ends when its standard input ends, so it cannot outlive the process that asked for it.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict

from pydantic import TypeAdapter
from transformers import AutoModelForMaskedLM
from transformers.initialization import no_init_weights
from transformers.utils import logging as transformers_logging

from ose.core.failures import failure_report
from ose.core.measurement import LatencyMeasurement
from ose.core.messages import LatencyRequest
from ose.families.bert.model import build_blank_student, fill_with_noise
from ose.latency.fingerprint import device_fingerprint
from ose.latency.measure import measure_latency
from ose.latency.reference_pace import Patience
from ose.tasks.few_tensors import few_tensors
from ose.tasks.loading import load_config

_TASK = TypeAdapter(LatencyRequest)


def measure(request: LatencyRequest, patience: Patience) -> LatencyMeasurement:
    """Build the model of `request` with weights of no meaning, on which latency does not depend, and measure it."""
    transformers_logging.set_verbosity_error()
    config = load_config(request.teacher.path)
    if request.is_teacher:
        with few_tensors(), no_init_weights():
            model = AutoModelForMaskedLM.from_config(config)
    else:
        model = build_blank_student(config, request.architecture, "cpu")
    fill_with_noise(model.base_model)
    return measure_latency(model, request.protocol, request.best_pace_ms, patience)


def answer(line: str, patience: Patience) -> dict[str, object]:
    """Serve one request: `{"fingerprint": device}` or `{"measure": request}`."""
    try:
        request = json.loads(line)
        if "fingerprint" in request:
            return {"result": asdict(device_fingerprint(request["fingerprint"]))}
        return {"result": asdict(measure(_TASK.validate_python(request["measure"]), patience))}
    except Exception as error:
        return {"failure": asdict(failure_report(error))}


def main() -> None:
    """Answer requests until the asking process closes the pipe or dies."""
    answers, patience = sys.stdout, Patience()
    with redirect_stdout(sys.stderr):  # whatever a library prints is no answer
        for line in sys.stdin:
            print(json.dumps(answer(line, patience)), file=answers, flush=True)
