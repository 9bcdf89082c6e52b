import io
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from builders import architecture
from saved_models import measuring, saved
from searches import facts_of

from ose.core.measurement import LatencyProtocol
from ose.core.messages import LatencyRequest
from ose.latency.fingerprint import device_fingerprint
from ose.latency.process import LatencyServer
from ose.latency.turns import MIN_ROUNDS
from ose.runtimes.torch.rules import RULES

SHAPE = architecture(1, 2, 16, 24)
PROTOCOL = LatencyProtocol(sequence_length=16, seconds_per_shape=0.01)


@pytest.fixture
def server() -> LatencyServer:
    return LatencyServer("ose.runtimes.torch")


@pytest.fixture
def task(tiny_roberta: Path, tmp_path: Path) -> LatencyRequest:
    return saved(tmp_path / "model", facts_of(tiny_roberta), SHAPE, PROTOCOL)


def ask(server: LatencyServer, task: LatencyRequest) -> dict[str, object]:
    return json.loads(json.dumps(server.answer(json.dumps({"measure": asdict(task)}))))


def test_a_fingerprint_is_answered(server: LatencyServer) -> None:
    assert server.answer('{"fingerprint": "cpu"}') == {"result": asdict(device_fingerprint(RULES))}


@pytest.mark.slow
def test_a_measurement_is_answered(server: LatencyServer, task: LatencyRequest) -> None:
    [measured] = ask(server, task)["result"]["reference"]
    assert measured["p50_ms"] > 0
    assert len(measured["samples_ms"]) >= MIN_ROUNDS


@pytest.mark.slow
def test_a_larger_model_takes_longer(server: LatencyServer, tiny_roberta: Path, tmp_path: Path) -> None:
    facts, large = facts_of(tiny_roberta), architecture(6, 4, 128, 512)
    saved(tmp_path / "large", facts, large, PROTOCOL)
    saved(tmp_path / "small", facts, SHAPE, PROTOCOL)
    [[measured]] = ask(server, measuring(facts, PROTOCOL, tmp_path / "small", tmp_path / "large"))["result"]["models"]
    assert measured["ratio"] > 1.5


@pytest.mark.parametrize(
    ("line", "code"),
    [("no JSON", "error"), ("{}", "error"), ('{"measure": {"folder": 5}}', "error")],
)
def test_a_request_that_makes_no_sense_is_a_failure(line: str, code: str, server: LatencyServer) -> None:
    failure = server.answer(line)["failure"]
    assert failure["code"] == code
    assert "Traceback" in failure["traceback"]


def test_a_gpu_that_is_not_there_is_a_failure(server: LatencyServer, task: LatencyRequest) -> None:
    failure = ask(server, replace(task, protocol=replace(PROTOCOL, device="cuda:77")))["failure"]
    assert failure["code"] == "dependency"


def test_answers_are_one_line_each_whatever_is_printed_meanwhile(
    server: LatencyServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def noisy(line: str) -> dict[str, object]:
        print("a library says hello")
        return {"result": line}

    monkeypatch.setattr(server, "answer", noisy)
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"fingerprint": "cpu"}\nno JSON\n'))
    server.serve()
    lines = capsys.readouterr().out.splitlines()
    assert [list(json.loads(line)) for line in lines] == [["result"], ["result"]]
