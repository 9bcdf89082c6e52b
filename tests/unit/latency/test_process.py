import io
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from builders import architecture
from searches import facts_of

from ose.core.measurement import LatencyProtocol
from ose.core.messages import LatencyRequest
from ose.latency import measure
from ose.latency.fingerprint import device_fingerprint
from ose.latency.process import answer, main
from ose.latency.reference_pace import Patience

SHAPE = architecture(1, 2, 16, 24)


@pytest.fixture
def task(tiny_roberta: Path, monkeypatch: pytest.MonkeyPatch) -> LatencyRequest:
    monkeypatch.setattr(measure, "TIMED_S", 0.05)
    monkeypatch.setattr(measure, "WARMUP_S", 0.0)
    return LatencyRequest(
        teacher=facts_of(tiny_roberta), architecture=SHAPE, protocol=LatencyProtocol(sequence_length=16)
    )


def ask(task: LatencyRequest) -> dict[str, object]:
    return json.loads(json.dumps(answer(json.dumps({"measure": asdict(task)}), Patience())))


def test_a_fingerprint_is_answered() -> None:
    assert answer('{"fingerprint": "cpu"}', Patience()) == {"result": asdict(device_fingerprint("cpu"))}


@pytest.mark.parametrize("is_teacher", [False, True])
def test_a_measurement_is_answered(is_teacher: bool, task: LatencyRequest) -> None:
    result = ask(replace(task, is_teacher=is_teacher))["result"]
    assert result["p50_ms"] > 0
    assert len(result["samples_ms"]) >= 30


def test_the_teachers_weights_are_not_needed(task: LatencyRequest, tmp_path: Path) -> None:
    config = (Path(task.teacher.path) / "config.json").read_text()
    (tmp_path / "config.json").write_text(config)
    assert "result" in ask(replace(task, teacher=replace(task.teacher, path=str(tmp_path))))


def test_a_larger_model_takes_longer(task: LatencyRequest) -> None:
    small, large = (
        ask(replace(task, architecture=shape))["result"]["p50_ms"] for shape in (SHAPE, architecture(6, 4, 128, 512))
    )
    assert large > 1.5 * small


@pytest.mark.parametrize(
    ("line", "code"),
    [("no JSON", "error"), ("{}", "error"), ('{"measure": {"architecture": "round"}}', "error")],
)
def test_a_request_that_makes_no_sense_is_a_failure(line: str, code: str) -> None:
    failure = answer(line, Patience())["failure"]
    assert failure["code"] == code
    assert "Traceback" in failure["traceback"]


def test_a_gpu_that_is_not_there_is_a_failure(task: LatencyRequest) -> None:
    failure = ask(replace(task, protocol=LatencyProtocol(device="cuda:77")))["failure"]
    assert failure["code"] == "dependency"


def test_answers_are_one_line_each_whatever_is_printed_meanwhile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def noisy(device: str) -> object:
        print("a library says hello")
        return device_fingerprint(device)

    monkeypatch.setattr("ose.latency.process.device_fingerprint", noisy)
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"fingerprint": "cpu"}\nno JSON\n'))
    main()
    lines = capsys.readouterr().out.splitlines()
    assert [list(json.loads(line)) for line in lines] == [["result"], ["failure"]]
