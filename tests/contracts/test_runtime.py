"""What every runtime promises. A new one joins by a line in `RUNTIMES`; another one lives in the tests alone.

Covers ose/runtimes/base.py, ose/runtimes/registry.py, ose/runtimes/torch/rules.py, ose/runtimes/onnxruntime/rules.py,
ose/runtimes/onnxruntime/saver.py, ose/runtimes/onnxruntime/engine.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import architecture
from numpy.typing import NDArray
from saved_models import saved
from searches import facts_of

import ose
from ose.core.job import JobStatus
from ose.core.measurement import LatencyProtocol
from ose.errors import JobFileError
from ose.families.bert.model import build_blank_student
from ose.inputs.consistency import check_latency_protocol
from ose.latency.probe import SubprocessLatencyProbe
from ose.runtimes.base import Engine, RuntimeRules, Saver, size_on_disk_bytes
from ose.runtimes.noise import fill_with_noise
from ose.runtimes.registry import RUNTIMES, runtime_engine, runtime_package, runtime_rules, runtime_saver
from ose.tasks.fill_mask.teacher import load_masked_lm
from ose.tasks.loading import load_config

SUPPORT = Path(__file__).parents[1] / "support"
PARTS = ("encoder", "model")


@pytest.fixture(autouse=True)
def another_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "numpy", "numpy_runtime")
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[*RUNTIMES, "numpy"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rules(name: str) -> RuntimeRules:
    return runtime_rules(runtime_package(name))


@pytest.fixture
def saver(name: str) -> Saver:
    return runtime_saver(runtime_package(name))


@pytest.fixture
def engine(name: str) -> Engine:
    return runtime_engine(runtime_package(name))


@pytest.fixture
def protocol(name: str) -> LatencyProtocol:
    return LatencyProtocol(runtime=name, sequence_length=16, seconds_per_shape=0.01)


def loaded_by(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def token_ids(*shape: int) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(10, 400, shape)


def expected(model: Any, part: str, input_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    module = model.base_model if part == "encoder" else model
    with torch.inference_mode():
        output: NDArray[np.float32] = module(input_ids=torch.from_numpy(input_ids))[0].numpy()
    return output


@pytest.mark.processes
def test_the_table_and_the_rules_load_no_runtime(name: str) -> None:
    loaded = loaded_by("ose.runtimes.registry")
    assert not any(module.startswith(tuple(RUNTIMES.values())) for module in loaded)
    assert {"torch", "transformers"}.isdisjoint(loaded_by(f"{runtime_package(name)}.rules"))


def test_the_rules_say_what_it_is(name: str, rules: RuntimeRules) -> None:
    assert rules.name == name
    assert rules.missing() is None
    assert rules.version().split()[0] == rules.distribution in rules.needs
    assert "float32" in rules.precisions and "cpu" in rules.devices


def test_what_is_not_installed_is_told_in_one_line(rules: RuntimeRules) -> None:
    missing = replace(rules, needs=(*rules.needs, "no-such-package")).missing()
    assert missing == f"it needs no-such-package, not installed here: {rules.install}"


def test_only_its_own_precisions_and_devices_are_accepted(protocol: LatencyProtocol, rules: RuntimeRules) -> None:
    for precision in rules.precisions:
        check_latency_protocol(replace(protocol, dtype=precision))
    with pytest.raises(JobFileError, match=r"latency\.dtype must be one of float32.*, not 'int3'"):
        check_latency_protocol(replace(protocol, dtype="int3"))


@pytest.mark.parametrize("part", PARTS)
def test_a_saved_model_gives_the_models_values(
    part: Any,
    saver: Saver,
    engine: Engine,
    rules: RuntimeRules,
    protocol: LatencyProtocol,
    sharp_roberta: Path,
    tmp_path: Path,
) -> None:
    model, input_ids = load_masked_lm(sharp_roberta), token_ids(3, 16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for precision in rules.precisions:
        folder = tmp_path / precision
        folder.mkdir()
        saver.save(model, part, folder, precision)
        found = engine.open(folder, replace(protocol, dtype=precision)).output(input_ids)
        wanted = expected(model, part, input_ids)
        if precision == "int8":  # of weights of 7 bits: each value is near, and all of them nearer
            assert np.linalg.norm(found - wanted) < 0.1 * np.linalg.norm(wanted)
            continue
        tolerance = 1e-5 if precision == "float32" else 0.1
        np.testing.assert_allclose(found, wanted, atol=tolerance, rtol=tolerance)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_it_writes_no_file_but_its_own(saver: Saver, rules: RuntimeRules, sharp_roberta: Path, tmp_path: Path) -> None:
    saver.save(load_masked_lm(sharp_roberta), "encoder", tmp_path, "float32")
    assert {file.name for file in tmp_path.iterdir()} <= set(rules.files)
    assert size_on_disk_bytes(tmp_path, rules.files) == sum(file.stat().st_size for file in tmp_path.iterdir())


def test_a_model_without_weights_is_saved_small_where_the_runtime_says_so(
    saver: Saver, engine: Engine, rules: RuntimeRules, protocol: LatencyProtocol, tiny_roberta: Path, tmp_path: Path
) -> None:
    device = "cpu" if saver.needs_weights else "meta"
    student = build_blank_student(load_config(tiny_roberta), architecture(4, 4, 256, 1024), "fill_mask", device)
    if saver.needs_weights:
        fill_with_noise(student)
    saver.save(student, "encoder", tmp_path, "float32")
    assert saver.needs_weights or size_on_disk_bytes(tmp_path, rules.files) < 10_000
    assert engine.open(tmp_path, protocol).output(token_ids(1, 8)).shape == (1, 8, 256)


@pytest.mark.slow
def test_a_call_is_timed(engine: Engine, protocol: LatencyProtocol, tiny_roberta: Path, tmp_path: Path) -> None:
    def median_ms(shape: tuple[int, int, int, int]) -> float:
        folder = tmp_path / str(shape)
        saved(folder, facts_of(tiny_roberta), architecture(*shape), protocol)
        call = engine.open(folder, protocol).timed(token_ids(1, 16))
        return sorted(call() for _ in range(30))[15]

    assert 0 < 2 * median_ms((1, 2, 16, 24)) < median_ms((8, 4, 128, 512))


@pytest.mark.processes
def test_a_process_of_its_own_measures_it(
    name: str, rules: RuntimeRules, protocol: LatencyProtocol, tiny_roberta: Path, tmp_path: Path
) -> None:
    facts = facts_of(tiny_roberta)
    with SubprocessLatencyProbe(protocol) as probe:
        request = saved(tmp_path / "model", facts, architecture(1, 2, 16, 24), protocol)
        [measured] = probe.measure(request).reference
        assert probe.fingerprint() == measured.fingerprint
    assert measured.fingerprint.runtime == rules.version()
    assert 0 < measured.p10_ms <= measured.p90_ms and measured.p50_ms > 0
    assert measured.cpu_samples_ms is not None and min(measured.cpu_samples_ms) > 0


@pytest.mark.processes
def test_the_process_that_measures_loads_torch_only_for_torch() -> None:
    loaded = loaded_by("ose.latency.process, numpy_runtime.engine, ose.runtimes.onnxruntime.engine")
    assert "numpy_runtime.engine" in loaded and {"torch", "transformers"}.isdisjoint(loaded)


def test_an_unknown_runtime_is_refused_with_the_known_ones() -> None:
    with pytest.raises(JobFileError, match=r"latency\.runtime must be one of torch, onnxruntime, numpy, not 'jax'"):
        check_latency_protocol(LatencyProtocol(runtime="jax"))
    with pytest.raises(JobFileError, match=r"latency\.device is cuda:1, but the runtime numpy runs on cpu"):
        check_latency_protocol(LatencyProtocol(runtime="numpy", device="cuda:1"))


@pytest.mark.processes
def test_a_search_measures_its_candidates_by_the_runtime_that_it_names(
    tiny_roberta: Path, real_text: list[str], tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(document.replace("\n", " ") for document in real_text))
    job = {
        "name": "on numpy",
        "teacher": {"model": str(tiny_roberta)},
        "corpus": {"train": [str(text)], "sequence_length": 16},
        "space": {
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [4],
            "hidden_size": [16],
            "intermediate_size": [64],
        },
        "search": {"steps": 2, "hyperparameters": [{"batch_size": 4}], "held_out_sequences": 8},
        "latency": {"runtime": "numpy", "sequence_length": 16, "seconds_per_shape": 0.01},
    }
    with ose.Workspace(tmp_path / "home") as workspace:
        ended = workspace.run(workspace.submit(job).id)
        candidates = workspace.store.candidates(ended.id)
        [measured_again] = workspace.latency(tiny_roberta, ended.spec.latency)
        left = list((workspace.artifacts / "saved-models").rglob("*.npz"))
    assert ended.status is JobStatus.SUCCEEDED and ended.teacher_latency is not None
    latencies = [ended.teacher_latency, *(candidate.latency for candidate in candidates), measured_again.latency]
    assert len(latencies) == 4
    assert {each.fingerprint.runtime for each in latencies if each} == {f"numpy {np.__version__}"}
    assert left == []
