import logging
from collections.abc import Callable

import pytest
import torch

from ose.training.cuda_stream import PLAIN_STEPS, CudaStream, repeat, seconds_between

CPU = torch.device("cpu")


class Recorder:
    """Stands for a GPU's recording: made without running the step, which each replay does."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.calls: list[str] = []
        self._failure = failure

    def step(self) -> None:
        self.calls.append("step")

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        self.calls.append("record")
        if self._failure:
            raise self._failure
        return lambda: self.calls.append("replay")


@pytest.mark.parametrize("times", [0, 1, PLAIN_STEPS])
def test_a_few_steps_are_not_recorded(times: int) -> None:
    recorder = Recorder()
    repeat(recorder.step, times, recorder.record)
    assert recorder.calls == ["step"] * times


def test_after_the_first_steps_one_recording_is_replayed() -> None:
    recorder = Recorder()
    repeat(recorder.step, PLAIN_STEPS + 4, recorder.record)
    assert recorder.calls == ["step"] * PLAIN_STEPS + ["record"] + ["replay"] * 4


def test_without_recording_the_step_is_called_each_time() -> None:
    recorder = Recorder()
    repeat(recorder.step, 7, None)
    assert recorder.calls == ["step"] * 7


def test_what_cannot_be_recorded_is_called_and_told(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(RuntimeError("operation not permitted when stream is capturing"))
    with caplog.at_level(logging.WARNING):
        repeat(recorder.step, PLAIN_STEPS + 4, recorder.record)
    assert recorder.calls == ["step"] * PLAIN_STEPS + ["record"] + ["step"] * 4
    assert "not permitted when stream is capturing" in caplog.text


def test_a_recording_without_memory_is_a_failure() -> None:
    recorder = Recorder(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(torch.OutOfMemoryError):
        repeat(recorder.step, PLAIN_STEPS + 4, recorder.record)


def test_on_a_cpu_work_is_done_when_the_call_returns() -> None:
    stream, recorder = CudaStream(CPU), Recorder()
    before = stream.stamp()
    with stream.work():
        stream.repeat(recorder.step, 5)
    assert recorder.calls == ["step"] * 5
    stream.wait()
    assert 0 < seconds_between(before, stream.stamp()) < 1


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@needs_gpu
def test_a_recorded_step_does_what_a_plain_one_does() -> None:
    totals = []
    for uses_graphs in (False, True):
        stream = CudaStream(torch.device("cuda"), uses_graphs=uses_graphs)
        counter, total = torch.zeros(1, device="cuda"), torch.zeros(1, device="cuda")

        def step(counter: torch.Tensor = counter, total: torch.Tensor = total) -> None:
            counter.add_(1)
            total.add_(counter * counter)

        with stream.work():
            before = stream.stamp()
            stream.repeat(step, 20)
            after = stream.stamp()
        stream.wait()
        totals.append(total.item())
        assert seconds_between(before, after) > 0
    assert totals == [2870.0, 2870.0]
