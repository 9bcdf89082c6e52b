"""The GPU benchmark at toy size on a CPU, with little beside torch and transformers installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]
MISSING = (
    "ray sqlalchemy alembic pydantic pydantic_settings psutil optuna datasets pandas pyarrow tensorboardX matplotlib "
    "onnx onnxruntime accelerate typer rich"
)
BARE_MACHINE = f"""
import sys
for name in {MISSING.split()}:
    sys.modules[name] = None
from ose.latency import measure, turns
measure._LEAST_SHAPES, turns.WARMUP_S, turns.TURN_MS = 0, 0.0, 1.0  # what is measured here interests nobody
"""
SPACE = """
num_hidden_layers: {start: 1, stop: 3, step: 2}
num_attention_heads: [2, 4]
hidden_size: [16, 32]
intermediate_size: [16]
embedding: {vocab_size: 400, max_position_embeddings: 34, type_vocab_size: 1}
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(BARE_MACHINE)
    (folder / "toy.yaml").write_text(SPACE)
    toy = ["--teacher-shape", "2,2,32,32", "--batch-size", "4", "--sequence-length", "32", "--matrix", "64"]
    toy += ["--space", str(folder / "toy.yaml"), "--held-out-sequences", "8", "--steps", "5"]
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu" / "gpu.py"), *toy, "--output", str(folder / "report")]
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "OMP_NUM_THREADS": "1"}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment)


@pytest.mark.long("a whole search; that the script starts and reads its space is tested in any case")
def test_a_toy_space_is_searched_on_a_cpu(tmp_path: Path) -> None:
    done = run(tmp_path, "--device", "cpu", "--members", "4", "--at-once", "2")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report" / "gpu.json").read_text())
    members = report["members"]
    assert [row["architecture"] for row in members] == [
        "L1-A2-H16-I16",
        "L3-A2-H16-I16",
        "L1-A2-H32-I16",
        "L3-A2-H32-I16",
    ]
    lines = (tmp_path / "report" / "members.jsonl").read_text().splitlines()
    assert [json.loads(line)["architecture"] for line in lines] == [row["architecture"] for row in members]

    sound, too_deep = members[::2], members[1::2]
    assert all(row["error"] is None and row["p50_ms"] > 0 and row["score"] >= 0 for row in sound)
    assert all(len(json.loads(line)["training_losses_nats"]) == 5 for line in lines[::2])
    for row in too_deep:  # for their teacher; the others are not taken along
        assert "its num_hidden_layers is larger" in row["error"]
        assert "score" not in row
    tokens, targets = 4 * 32, 4 * 5
    forward = [tokens * (8 * h * h + 4 * h * 16 + 4 * 32 * h) + targets * 2 * h * (h + 400) for h in (16, 32)]
    assert report["flops"] == 3 * 5 * sum(forward)
    assert len(report["matrix_flops_per_s"]) == 2
    assert set(report["stages_s"]) == {"matrix rate", "teacher", "targets", "latencies", "search"}
    assert "2 of 4 members trained 5 steps of 4 x 32 tokens on a CPU" in done.stdout
    assert (tmp_path / "report" / "gpu.md").read_text().startswith(done.stdout.split("| member")[0])


def test_the_shipped_space_is_read_without_pydantic(tmp_path: Path) -> None:
    program = "from benchmarks.gpu import gpu; print(len(gpu.chosen_members(gpu.read_space(gpu.BORT), None)))"
    (tmp_path / "sitecustomize.py").write_text(BARE_MACHINE)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["300"], done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_machine_without_a_gpu_is_one_clear_line(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("torch sees no GPU here; a toy size runs with --device cpu")
