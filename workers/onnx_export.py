"""Write a model as ONNX, and quantise it if that costs no more than it may. Done once, in the caller's process."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.artifacts.files import atomic_directory
from ose.artifacts.scratch import ScratchFolder
from ose.core.gate import Verdict, verdict_of
from ose.core.model_report import EvaluationQuestion
from ose.core.progress import Progress
from ose.core.quantization import CorpusPart, OnnxRequest, OnnxSummary, Quantization
from ose.data.row_sides import iter_side
from ose.data.tables import Row
from ose.runtimes.onnxruntime.card import onnx_card
from ose.runtimes.onnxruntime.export import Facts, describe, write_onnx
from ose.runtimes.onnxruntime.quantize import quantize
from ose.runtimes.torch.export import require_free
from ose.tasks.base import Task
from ose.tasks.onnx_folder import ONNX_FILE, onnx_facts
from ose.tasks.onnx_model import filled
from ose.tasks.registry import load_task
from ose.workers.foreground import quieten
from ose.workers.tuning import run_evaluation

_CALIBRATION_TEXTS, _READ_FOR_THEM, _CALIBRATION_TOKENS = 128, 20_000, 128
_TEXTS_AT_ONCE = 8


def run_onnx_export(request: OnnxRequest, progress: Progress) -> OnnxSummary:
    """Write a directory that ONNX Runtime runs, in int8 where that is asked for and the gate lets it pass.

    Raises:
        ConflictError: The output has something in it, or the file does not say what the model says.
        OseError: Model or text cannot be used.
    """
    quieten()
    output = Path(request.output)
    require_free(output)
    task = load_task(request.task)
    with closing(ScratchFolder("onnx")) as scratch:
        folder = scratch.path / "float32"
        folder.mkdir()
        progress.say("writing the graph, and holding it against the model")
        facts = write_onnx(task, Path(request.folder), folder)
        counted, verdict = describe(folder, request.manifest, facts, None, None), None
        float32_size_bytes = (folder / ONNX_FILE).stat().st_size
        if request.quantization is not None:
            folder, counted, verdict = _quantised(task, request, request.quantization, folder, facts, progress)
        (folder / "README.md").write_text(onnx_card(task, folder), encoding="utf8")
        with atomic_directory(output) as target:
            shutil.copytree(folder, target, dirs_exist_ok=True)
    return OnnxSummary(
        folder=str(output),
        precision="float32" if folder.name == "float32" else "int8",
        size_bytes=(output / ONNX_FILE).stat().st_size,
        float32_size_bytes=float32_size_bytes,
        logit_difference_share=facts["logit_difference_share"],
        operators=counted,
        verdict=verdict,
    )


def _quantised(
    task: Task, request: OnnxRequest, spec: Quantization, whole: Path, facts: Facts, progress: Progress
) -> tuple[Path, dict[str, int], Verdict | None]:
    """The folder that is kept, with what is told of it."""
    small = whole.with_name("int8")
    shutil.copytree(whole, small, ignore=shutil.ignore_patterns(ONNX_FILE))
    progress.say(f"quantising, {spec.method}")
    batches = () if request.calibration is None else _calibration_batches(task, whole, request.calibration)
    quantize(whole / ONNX_FILE, small / ONNX_FILE, spec, batches)
    counted = describe(small, request.manifest, facts, spec, "off")
    if spec.gate is None or request.held_out is None:
        return small, counted, None
    progress.say("holding int8 against float32 on held-out text")
    verdict = _verdict(request.task, whole, small, request.held_out, spec.gate)
    told = {**asdict(verdict), "told": str(verdict)}
    if verdict.outcome == "passed":
        return small, describe(small, request.manifest, facts, spec, told), verdict
    return whole, describe(whole, request.manifest, facts, None, told), verdict


def _verdict(task: str, whole: Path, small: Path, held_out: CorpusPart, gate: float) -> Verdict:
    question = EvaluationQuestion(
        models=(str(whole), str(small)), corpus=held_out.facts, corpus_spec=held_out.spec, teacher=str(whole)
    )
    return verdict_of(run_evaluation(task, question, None), gate)


def _calibration_batches(task: Task, folder: Path, part: CorpusPart) -> Iterator[Mapping[str, NDArray[np.int64]]]:
    """Texts drawn from the first ones, encoded as users of the file encode them."""
    tokenizer = task.load_tokenizer(folder)
    spec = replace(part.spec, columns=replace(part.spec.columns, label=None))
    rows = list(islice(iter_side(part.facts, spec, "train"), _READ_FOR_THEM))
    drawn = random.Random(0).sample(rows, min(_CALIBRATION_TEXTS, len(rows)))
    length = min(tokenizer.model_max_length, _CALIBRATION_TOKENS)
    for first in range(0, len(drawn), _TEXTS_AT_ONCE):
        some = drawn[first : first + _TEXTS_AT_ONCE]
        yield _encoded(tokenizer, some, length, folder)


def _encoded(tokenizer: Any, rows: list[Row], length: int, folder: Path) -> dict[str, NDArray[np.int64]]:
    pairs = [row.text_pair or "" for row in rows] if rows[0].text_pair is not None else None
    encoded = tokenizer([row.text for row in rows], pairs, padding=True, truncation=True, max_length=length)
    arrays = {name: np.asarray(values) for name, values in encoded.items()}
    return filled([each["name"] for each in onnx_facts(folder)["inputs"]], arrays)
