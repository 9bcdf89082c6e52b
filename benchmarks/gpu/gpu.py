"""The search of a whole space on one GPU, in this process alone: how long, and how near to what the card can do.

    PYTHONPATH=. python benchmarks/gpu/gpu.py --output results/gpu

Needs torch and transformers, and nothing else that OSE needs: no Ray, no database. All members of a space (`bort`, 300)
are trained against a teacher of random weights on random tokens, which is as much work as real ones are. Measured in
the same run: the card's rate of matrix products before and after, the teacher's targets, every member's latency, and
the search itself, whose arithmetic over its wall time is the share of that rate. Writes members.jsonl while it runs, then gpu.json
and gpu.md. A toy size runs on a CPU: see tests/benchmarks/gpu/test_gpu.py.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
import yaml  # transformers needs it too
from transformers import PreTrainedConfig, PreTrainedModel, RobertaConfig

from benchmarks.gpu.gpu_report import markdown, member_row, summary
from benchmarks.shared.shapes import parse_shape
from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.inheritance import InheritanceSpec
from ose.core.job import FailureReport, TeacherFacts
from ose.core.measurement import LatencyMeasurement, LatencyProtocol, TeacherQuality
from ose.core.messages import EvaluationRequest, LatencyRequest, SavedModel, TargetsRequest
from ose.core.plain import plain
from ose.core.score import Measures
from ose.core.search_space import SearchSpace
from ose.core.spec import Hyperparameters
from ose.distillation.candidate_evaluation import evaluate_together
from ose.errors import EvaluationError
from ose.families.bert.model import build_student
from ose.families.counts import FamilyCounts
from ose.latency.fingerprint import device_fingerprint
from ose.latency.measure import measure_latencies as take_turns
from ose.runtimes.base import Session
from ose.runtimes.torch.engine import ENGINE, TorchSession
from ose.runtimes.torch.rules import RULES
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks
from ose.tasks.fill_mask.resident_data import ResidentData, on_device
from ose.tasks.fill_mask.search_data import FillMaskData, compute_targets, load_search_data, save_batches

_AT_ONCE = 50
"""Shapes that take turns, as many as in a search."""

BORT = Path(__file__).parents[2] / "search_spaces" / "bort.yaml"
AXES = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
PLAIN_START = InheritanceSpec(
    layers="distilbert", heads="leading", neurons="leading", hidden="leading", correction="none"
)
"""Random weights have no parts that matter more, so nothing is measured to choose them."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", type=Path, default=BORT, help="YAML, with an embedding (default: the bort space)")
    parser.add_argument("--members", type=int, help="so many at most, evenly spaced in the space's order")
    parser.add_argument("--teacher-shape", default="24,16,1024,4096", help="D,A,H,I (default: roberta-large's)")
    parser.add_argument("--initialization", choices=["inherit", "random"], default="inherit")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--held-out-sequences", type=int, default=64)
    parser.add_argument("--precision", choices=["auto", "bfloat16", "float32"], default="auto")
    parser.add_argument("--latency-dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument(
        "--at-once", type=int, default=3, help="candidates in the card's memory, one of them being built"
    )
    parser.add_argument(
        "--graphs", action=argparse.BooleanOptionalAction, default=True, help="replay steps as CUDA graphs"
    )
    parser.add_argument("--matrix", type=int, default=8192, help="side of the matrices whose product gives the rate")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; a toy size runs with --device cpu")
    return options


@dataclass
class Clock:
    """Seconds of each stage, all work on the device included."""

    device: torch.device
    stages_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block, and say so."""
        started = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.stages_s[name] = time.perf_counter() - started
        print(f"{name}: {self.stages_s[name]:.1f} s", file=sys.stderr, flush=True)


def read_space(file: Path) -> SearchSpace:
    """A space's axes. OSE itself reads and checks them with pydantic, which a GPU's machine may lack."""
    content = yaml.safe_load(file.read_text(encoding="utf8"))
    axes = {axis: _values(content[axis]) for axis in AXES}
    return SearchSpace(name=file.stem, embedding=EmbeddingShape(**content["embedding"]), **axes)


def _values(axis: Any) -> tuple[int, ...]:
    return tuple(axis if isinstance(axis, list) else range(axis["start"], axis["stop"] + 1, axis.get("step", 1)))


def chosen_members(space: SearchSpace, count: int | None) -> list[Architecture]:
    shapes = [member.architecture for member in space.members(FamilyCounts(space.embedding))]
    return shapes if count is None or count >= len(shapes) else shapes[:: -(-len(shapes) // count)]


def make_teacher(shape: str, embedding: EmbeddingShape, device: torch.device) -> tuple[Architecture, PreTrainedModel]:
    architecture = parse_shape(shape)
    config = RobertaConfig(**asdict(embedding), **plain(architecture))
    return architecture, build_student(config, architecture, "fill_mask", seed=0, device=device).requires_grad_(False)


def facts_of(architecture: Architecture, embedding: EmbeddingShape) -> TeacherFacts:
    parameters = FamilyCounts(embedding).parameters(architecture)
    return TeacherFacts(
        path="",
        digest="",
        model_type="roberta",
        architecture=architecture,
        embedding=embedding,
        max_sequence_length=embedding.max_position_embeddings - 2,
        num_parameters=parameters.total,
        num_encoder_parameters=parameters.encoder,
        can_be_inherited=True,
    )


def make_data(
    options: argparse.Namespace, teacher: PreTrainedModel, facts: TeacherFacts
) -> tuple[FillMaskData | ResidentData, TeacherQuality]:
    """Random sequences, masked, and the teacher's targets on them, in the files in which a search keeps them."""
    vocab_size, count = facts.embedding.vocab_size, options.steps * options.batch_size
    rule = MaskingRule(mask_token_id=4, special_token_ids=(0, 1, 2, 3, 4), vocab_size=vocab_size)
    generator = torch.Generator().manual_seed(0)

    def masked(num_sequences: int) -> MaskedBatch:
        shape = (num_sequences, options.sequence_length)
        return draw_masks(torch.randint(5, vocab_size, shape, generator=generator), rule, generator)

    def targets(folder: str, shard: int | None, last: int) -> TeacherQuality | None:
        task = TargetsRequest(
            id="", folder=folder, teacher=facts, shard=shard, first=0, last=last, seed=0, precision=options.precision
        )
        return compute_targets(task, teacher)

    with tempfile.TemporaryDirectory() as folder:
        save_batches(Path(folder), masked(count), masked(options.held_out_sequences))
        targets(folder, 0, count)
        quality = targets(folder, None, options.held_out_sequences)
        assert quality is not None
        return on_device(load_search_data(Path(folder)), teacher.device), quality


def matrix_rate(size: int, device: torch.device) -> float:
    """FLOP/s of a bfloat16 product of square matrices, median of ten."""
    left, right = torch.randn(2, size, size, device=device).bfloat16()
    seconds = []
    for _ in range(13):
        started = time.perf_counter()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / median(seconds[3:])


def measure_latencies(
    shapes: list[Architecture], config: PreTrainedConfig, options: argparse.Namespace
) -> Iterator[LatencyMeasurement | Exception]:
    """Each shape's latency beside the first one, with random weights, on which it does not depend."""
    protocol = LatencyProtocol(
        device=options.device, sequence_length=options.sequence_length, dtype=options.latency_dtype
    )

    def opened(model: SavedModel) -> Session:
        encoder = build_student(config, shapes[int(model.folder)], "fill_mask", 0, options.device).base_model
        return TorchSession(encoder, protocol)

    models = [SavedModel(folder=str(index), vocab_size=config.vocab_size) for index in range(len(shapes))]
    device = device_fingerprint(RULES, ENGINE.accelerator(options.device))
    for first in range(0, len(models), _AT_ONCE):
        some = tuple(models[first : first + _AT_ONCE])
        request = LatencyRequest(reference=models[0], models=some, inputs=protocol.inputs, protocol=protocol)
        for found in take_turns(opened, request, device).models:
            yield EvaluationError(found.message) if isinstance(found, FailureReport) else found[0]


def tasks_of(shapes: list[Architecture], facts: TeacherFacts, options: argparse.Namespace) -> list[EvaluationRequest]:
    return [
        EvaluationRequest(
            id=str(shape),
            folder="",
            teacher=facts,
            architecture=shape,
            hyperparameters=Hyperparameters(batch_size=options.batch_size),
            num_steps=options.steps,
            initialization=options.initialization,
            inheritance=PLAIN_START,
            calibration=None,
            precision=options.precision,
            seed=0,
            weight_clip=None,
        )
        for shape in shapes
    ]


def training_flops(shape: Architecture, embedding: EmbeddingShape, options: argparse.Namespace) -> float:
    """What training has to multiply: forward once, backward twice that; the vocabulary head at the targets."""
    targets = options.batch_size * max(1, round(0.15 * options.sequence_length))
    counts = FamilyCounts(embedding)
    forward = counts.flops(shape, options.sequence_length, options.batch_size)
    return 3.0 * options.steps * (forward + counts.head_flops(shape, targets))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All stages; what is known of a member is on disk as soon as it is trained."""
    device, clock = torch.device(options.device), Clock(torch.device(options.device))
    space = read_space(options.space)
    shapes = chosen_members(space, options.members)
    with clock.stage("matrix rate"):
        rates = [matrix_rate(options.matrix, device)]
    with clock.stage("teacher"):
        largest, teacher = make_teacher(options.teacher_shape, space.embedding, device)
        facts = facts_of(largest, space.embedding)
    with clock.stage("targets"):
        data, quality = make_data(options, teacher, facts)
    with clock.stage("latencies"):
        teachers, *latencies = measure_latencies([largest, *shapes], teacher.config, options)
    if isinstance(teachers, Exception):
        raise teachers
    measures = Measures(num_parameters=facts.num_parameters, latency_ms=teachers.p50_ms, loss_nats=quality.entropy_nats)
    rows = []
    with clock.stage("search"), (options.output / "members.jsonl").open("w", encoding="utf8") as stream:
        tasks = tasks_of(shapes, facts, options)
        outcomes = evaluate_together(tasks, teacher, data, at_once=options.at_once, uses_graphs=options.graphs)
        for (task, outcome), latency in zip(outcomes, latencies, strict=True):
            rows.append(member_row(task, outcome, latency, measures))
            print(json.dumps(rows[-1]), file=stream, flush=True)
    rates.append(matrix_rate(options.matrix, device))
    return {
        "options": {name: str(value) for name, value in vars(options).items()},
        "machine": machine(device),
        "stages_s": clock.stages_s,
        "matrix_flops_per_s": rates,
        "teacher": asdict(measures),
        "flops": sum(
            training_flops(shape, space.embedding, options)
            for shape, row in zip(shapes, rows, strict=True)
            if "loss_nats" in row
        ),
        "members": [{name: value for name, value in row.items() if name != "training_losses_nats"} for row in rows],
    }


def machine(device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    return {
        "accelerator": torch.cuda.get_device_name(device) if on_gpu else None,
        "peak_memory_bytes": torch.cuda.max_memory_reserved(device) if on_gpu else None,
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "transformers": transformers.__version__,
    }


def main() -> None:
    options = parse_arguments()
    transformers.logging.set_verbosity_error()
    options.output.mkdir(parents=True, exist_ok=True)
    report = run(options)
    (options.output / "gpu.json").write_text(json.dumps(report, indent=1), encoding="utf8")
    (options.output / "gpu.md").write_text(markdown(report), encoding="utf8")
    print(summary(report))


if __name__ == "__main__":
    main()
