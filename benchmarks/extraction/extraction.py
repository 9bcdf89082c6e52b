"""What each rule of inheritance is worth: students as they start, and after a few steps.

    python benchmarks/extraction/extraction.py --teacher path/to/teacher --corpus 'text/*.txt' --shapes 3,12,384,1536 6,12,192,1536

For each shape the student is extracted under the default rules and with one of them changed at a time; every student is
judged on the same held-out targets and differs from the default in pairs, held-out sequence by held-out sequence. Rows
that `extraction.csv` in `--output` holds already are not computed again; extraction.md is their table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch
from transformers import PreTrainedModel

from benchmarks.shared.shapes import parse_shape
from benchmarks.shared.tables import read_csv, write_csv
from ose.core.architecture import Architecture
from ose.core.inheritance import HeadRule, HiddenRule, InheritanceSpec, NeuronRule
from ose.core.layer_choice import LayerRule
from ose.core.measurement import Evaluation
from ose.core.messages import CalibrationRequest, DataRequest, EvaluationRequest, TargetsRequest
from ose.core.significance import paired_difference
from ose.core.spec import CorpusSpec, Hyperparameters, TeacherSpec
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.extraction.calibrate import open_calibration, prepare_calibration
from ose.extraction.calibration import Calibration
from ose.inputs.corpora import inspect_corpus
from ose.inputs.teachers import inspect_teacher
from ose.tasks.fill_mask.search_data import FillMaskData, compute_targets, load_search_data, prepare_data
from ose.tasks.fill_mask.teacher import load_masked_lm

DEFAULT = InheritanceSpec()
LEADING = InheritanceSpec(layers="distilbert", heads="leading", neurons="leading", hidden="leading", correction="none")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--corpus", nargs="+", required=True, help="files or globs of training text")
    parser.add_argument("--validation", nargs="*", default=[], help="files or globs of held-out text")
    parser.add_argument("--shapes", nargs="+", required=True, help="D,A,H,I of each student")
    parser.add_argument("--steps", type=int, nargs="*", default=[], help="train the main students so many steps too")
    parser.add_argument("--batch-size", type=int, default=Hyperparameters().batch_size)
    parser.add_argument("--learning-rate", type=float, default=Hyperparameters().peak_learning_rate)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--held-out-sequences", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("results/extraction-data"), help="batches and targets")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def variants(shape: Architecture, teacher: Architecture) -> Iterator[tuple[str, InheritanceSpec]]:
    """The default, the plain one, and the default with one rule changed wherever that rule has something to choose."""
    yield "default", DEFAULT
    yield "leading parts, copied", LEADING
    yield "correction: none", replace(DEFAULT, correction="none")
    choices: dict[str, tuple[Any, bool]] = {
        "layers": (LayerRule, shape.num_hidden_layers < teacher.num_hidden_layers),
        "heads": (HeadRule, shape.num_attention_heads < teacher.num_attention_heads),
        "neurons": (NeuronRule, shape.intermediate_size < teacher.intermediate_size),
        "hidden": (HiddenRule, shape.hidden_size < teacher.hidden_size),
    }
    for field, (rules, has_choice) in choices.items():
        for rule in get_args(rules):
            if has_choice and rule != getattr(DEFAULT, field):
                yield f"{field}: {rule}", replace(DEFAULT, **{field: rule})


class Bench:
    """The teacher with everything that students are extracted from, trained and judged on."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.facts = inspect_teacher(TeacherSpec(model=options.teacher))
        self.corpus_spec = CorpusSpec(
            train=tuple(options.corpus),
            validation=tuple(options.validation),
            sequence_length=options.sequence_length,
        )
        self.corpus = inspect_corpus(self.corpus_spec)
        self.teacher: PreTrainedModel = load_masked_lm(self.facts.path)
        self.data = self._data()
        self.calibration = self._calibration()

    def evaluate(self, shape: Architecture, rules: InheritanceSpec, steps: int) -> Evaluation:
        """Extract a student, train it, judge it."""
        rate, batch = self.options.learning_rate, self.options.batch_size
        task = EvaluationRequest(
            id="trial",
            folder=str(self.options.work),
            teacher=self.facts,
            architecture=shape,
            hyperparameters=Hyperparameters(learning_rate=rate, batch_size=batch),
            num_steps=steps,
            initialization="inherit",
            inheritance=rules,
            calibration=str(self.options.work),
            precision="auto",
            seed=0,
            weight_clip=None,
        )
        return evaluate_candidate(task, self.teacher, self.data, self.calibration)

    def _data(self) -> FillMaskData:
        options, common = (
            self.options,
            {"id": "data", "folder": str(self.options.work), "teacher": self.facts, "seed": 0},
        )
        wanted = max([1, *options.steps]) * options.batch_size
        data = DataRequest(
            corpus=self.corpus,
            corpus_spec=self.corpus_spec,
            num_sequences=wanted,
            held_out_sequences=options.held_out_sequences,
            **common,
        )
        summary = prepare_data(data)
        for shard, count in ((None, summary.held_out_sequences), (0, summary.num_sequences)):
            task = TargetsRequest(shard=shard, first=0, last=count, precision="auto", **common)
            compute_targets(task, self.teacher)
        return load_search_data(options.work)

    def _calibration(self) -> Calibration:
        task = CalibrationRequest(
            id="calibration",
            folder=str(self.options.work),
            teacher=self.facts,
            corpus=self.corpus,
            corpus_spec=self.corpus_spec,
            num_sequences=max(1, DEFAULT.tokens // self.options.sequence_length),
            eliminates_layers=True,
        )
        prepare_calibration(task, self.teacher)
        return open_calibration(self.options.work)


def measure(bench: Bench, file: Path) -> list[dict[str, str]]:
    """Fill in the rows that the file lacks, the untrained ones first."""
    rows = read_csv(file) if file.exists() else []
    done = {(row["shape"], row["rules"], int(row["steps"])) for row in rows}
    for steps in (0, *bench.options.steps):
        for text in bench.options.shapes:
            shape = parse_shape(text)
            for name, rules in variants(shape, bench.facts.architecture):
                if (str(shape), name, steps) in done or (steps and ":" in name):
                    continue
                evaluation = bench.evaluate(shape, rules, steps)
                rows.append(row_of(shape, name, steps, evaluation))
                print(f"{shape} {name}, {steps} steps: {evaluation.loss_nats:.3f} nats", flush=True)
                write_csv(file, rows)
    return rows


def row_of(shape: Architecture, name: str, steps: int, evaluation: Evaluation) -> dict[str, str]:
    return {
        "shape": str(shape),
        "rules": name,
        "steps": str(steps),
        "loss_nats": f"{evaluation.loss_nats:.6f}",
        "loss_stderr_nats": f"{evaluation.loss_stderr_nats:.6f}",
        "masked_accuracy": f"{evaluation.metrics['masked_accuracy'].value:.6f}",
        "layers": json.dumps(evaluation.teacher_layers),
        "sequence_losses": json.dumps([round(loss, 5) for loss in evaluation.sequence_losses_nats]),
    }


def table(rows: list[dict[str, str]]) -> str:
    lines = [
        "| student | rules | steps | layers kept | loss, nats | against the default, in pairs | right |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    default = {(row["shape"], row["steps"]): row for row in rows if row["rules"] == "default"}
    for row in rows:
        losses, theirs = (json.loads(each["sequence_losses"]) for each in (row, default[row["shape"], row["steps"]]))
        gap = paired_difference(losses, theirs)
        against = "" if row["rules"] == "default" else f"{gap.mean_nats:+.3f} ± {gap.stderr_nats:.3f}"
        loss = f"{float(row['loss_nats']):.3f} ± {float(row['loss_stderr_nats']):.3f}"
        cells = (row["shape"], row["rules"], row["steps"], row["layers"], loss, against)
        lines.append(f"| {' | '.join(cells)} | {float(row['masked_accuracy']):.1%} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    rows = measure(Bench(options), options.output / "extraction.csv")
    (options.output / "extraction.md").write_text(table(rows), encoding="utf8")
    print(table(rows))


if __name__ == "__main__":
    main()
