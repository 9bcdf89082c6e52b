import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from builders import architecture
from saved_models import saved
from searches import facts_of

from ose.core.failures import JobInterruptedError
from ose.core.job import FailureReport
from ose.core.measurement import LatencyProtocol
from ose.core.messages import LatencyRequest
from ose.errors import EvaluationError, WorkerLostError
from ose.latency.fingerprint import device_fingerprint
from ose.latency.probe import SubprocessLatencyProbe
from ose.runtimes.torch.rules import RULES

pytestmark = pytest.mark.processes

PROTOCOL = LatencyProtocol(sequence_length=16, seconds_per_shape=0.01)


def pid_of(probe: SubprocessLatencyProbe) -> int:
    assert probe._process is not None
    return probe._process.pid


@pytest.fixture(scope="module")
def first(tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> LatencyRequest:
    folder = tmp_path_factory.mktemp("saved") / "model"
    return saved(folder, facts_of(tiny_roberta), architecture(1, 2, 16, 24), PROTOCOL)


@pytest.fixture(scope="module")
def probe(first: LatencyRequest) -> Iterator[SubprocessLatencyProbe]:
    """A probe whose first process has been killed under a request: its second one serves all tests."""
    with SubprocessLatencyProbe(PROTOCOL) as probe:
        probe.start()
        os.kill(pid_of(probe), signal.SIGKILL)
        with pytest.raises(WorkerLostError, match=r"the latency process died \(exit status -9\)"):
            probe.measure(first)
        yield probe


@pytest.fixture
def task(first: LatencyRequest) -> LatencyRequest:
    return first


def test_after_a_killed_process_models_are_measured_in_another_one(
    probe: SubprocessLatencyProbe, task: LatencyRequest
) -> None:
    [measured] = probe.measure(task).reference
    assert pid_of(probe) != os.getpid()
    assert 0 < measured.p10_ms <= measured.p90_ms and measured.p50_ms > 0
    assert measured.fingerprint == probe.fingerprint() == device_fingerprint(RULES)


def test_one_process_answers_every_request(probe: SubprocessLatencyProbe, task: LatencyRequest) -> None:
    probe.measure(task)
    before = pid_of(probe)
    probe.measure(task)
    assert pid_of(probe) == before


def test_a_failure_there_is_an_error_here(probe: SubprocessLatencyProbe, task: LatencyRequest, tmp_path: Path) -> None:
    missing = replace(task.reference, folder=str(tmp_path / "missing"))
    with pytest.raises(EvaluationError, match=r"latency could not be measured: .*missing"):
        probe.measure(replace(task, reference=missing))
    assert probe.measure(task).reference[0].p50_ms > 0


def test_what_cannot_be_measured_does_not_stand_in_the_way_of_others(
    probe: SubprocessLatencyProbe, task: LatencyRequest, tmp_path: Path
) -> None:
    missing = replace(task.reference, folder=str(tmp_path / "missing"))
    failure, measured = probe.measure(replace(task, models=(missing, task.reference))).models
    assert isinstance(failure, FailureReport) and "missing" in failure.message
    assert not isinstance(measured, FailureReport) and measured[0].ratio is not None


def test_a_measurement_is_broken_off_by_what_the_look_at_the_job_raises(
    probe: SubprocessLatencyProbe, task: LatencyRequest
) -> None:
    def check() -> None:
        raise JobInterruptedError("cancelled")

    long = replace(task, models=(task.reference,) * 20, protocol=replace(PROTOCOL, seconds_per_shape=60.0))
    with pytest.raises(JobInterruptedError):
        probe.measure(long, check)
    assert probe._process is None, "its late answer would be taken for that of the next request"
    assert probe.measure(task).reference[0].p50_ms > 0


def test_the_process_ends_with_its_standard_input(probe: SubprocessLatencyProbe) -> None:
    probe.start()
    process = probe._process
    assert process is not None and process.stdin
    process.stdin.close()
    assert process.wait(timeout=30) == 0


def test_leaving_stops_the_process() -> None:
    with SubprocessLatencyProbe(PROTOCOL) as probe:
        assert probe.fingerprint() == device_fingerprint(RULES)
        assert probe._process is None, "a CPU is known without a process"
        probe.start()
        process = psutil.Process(pid_of(probe))
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
