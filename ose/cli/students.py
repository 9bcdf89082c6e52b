"""`ose distill` and `ose export`: from a chosen candidate to a directory that plain transformers loads."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ose.cli.context import Context, Format, print_json, say, tell, this_command
from ose.cli.corpus_options import PairOption, QueryOption, TextOption, corpus_spec
from ose.core.bounds import BATCH, NUMBER, STEPS
from ose.core.former_names import former_result
from ose.core.measurement import metric_text
from ose.core.plain import plain
from ose.core.presets import PRESETS
from ose.core.quantization import METHODS, OnnxSummary, Quantization
from ose.core.shown import NAME, shown
from ose.core.spec import Columns
from ose.errors import InvalidInputError
from ose.tasks.registry import task_rules

if TYPE_CHECKING:
    from ose.workspace import Workspace

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its beginning.", show_default=False)]
Candidate = Annotated[
    int | None, typer.Option(min=1, max=NUMBER.most, help="Its number.", show_default="the job's best")
]
_MOST_LABELS = 12
FormatOption = Annotated[Format, typer.Option("--format", help="What to print.")]


def distill(
    context: typer.Context,
    job_id: JobId,
    candidate: Candidate = None,
    steps: Annotated[int | None, typer.Option(min=1, max=STEPS.most, show_default="the job's")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, max=BATCH.most, show_default="the job's")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, max=100, show_default="the job's")] = None,
    preset: Annotated[
        str | None, typer.Option(help=f"A recipe: {', '.join(PRESETS)}.", show_default="the job's")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=100_000, help="Processes that train together; the result is the same.")
    ] = 1,
    output: FormatOption = Format.table,
) -> None:
    """Distil a job's best student, or another one, fully. The same command again resumes or repeats nothing."""
    options: Context = context.obj
    given = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "preset": preset}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with options.workspace() as workspace:
        try:
            done = workspace.distill(job_id, candidate=candidate, changes=changes, workers=workers)
        except KeyboardInterrupt:
            say("\ninterrupted; the last checkpoint is kept. Go on with the same command")
            sys.exit(130)
    assert done.result is not None
    result = done.result
    if output is Format.json:
        print_json({**asdict(done), "result": {**asdict(result), **former_result(result.metrics)}})
        return
    metrics = (f"{shown(name, NAME)} {metric_text(name, each.value)}" for name, each in result.metrics.items())
    tell(
        f"candidate {done.candidate_number} distilled, {result.num_steps} steps in {result.wall_time_s:.0f} s: "
        f"{', '.join([f'{result.loss_nats:.3f} ± {result.loss_stderr_nats:.3f} nats to the teacher', *metrics])}"
    )
    say(f"next: {this_command()} export {done.job_id} --candidate {done.candidate_number} --output student")


class Runtime(StrEnum):
    """What an export is run by."""

    torch = "torch"
    onnxruntime = "onnxruntime"


class Precision(StrEnum):
    """How an ONNX export is quantised."""

    int8_dynamic = "int8-dynamic"
    int8_static = "int8-static"


class TargetProcessor(StrEnum):
    """Which processors an int8 export is for."""

    any = "any"
    vnni = "vnni"


def export(
    context: typer.Context,
    job_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The job's id, or its beginning; for ONNX a model directory too.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option(help="A directory that does not exist yet.")] = Path("student"),
    candidate: Annotated[
        int | None, typer.Option(min=1, max=NUMBER.most, help="Its number.", show_default="last distilled")
    ] = None,
    runtime: Annotated[
        Runtime, typer.Option(help="What is to run it: torch by transformers, or onnxruntime.")
    ] = Runtime.torch,
    quantize: Annotated[
        Precision | None, typer.Option(help="ONNX weights and activations.", show_default="float32")
    ] = None,
    target: Annotated[
        TargetProcessor, typer.Option(help="any: the same values everywhere; vnni: finer, and wrong without VNNI.")
    ] = TargetProcessor.any,
    float_embeddings: Annotated[bool, typer.Option("--float-embeddings", help="Leave embeddings in float32.")] = False,
    gate: Annotated[
        str, typer.Option(help="What int8 may lose of float32's first metric, or off. Failing it, float32 is kept.")
    ] = "1%",
    data: Annotated[
        list[str] | None, typer.Option(help="Held-out text for the gate.", show_default="the job's")
    ] = None,
    text: TextOption = "text",
    text_pair: PairOption = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of what is right of a row.", show_default="none")
    ] = None,
    query_id: QueryOption = None,
    calibration: Annotated[
        list[str] | None, typer.Option(help="Text that int8-static measures.", show_default="the job's")
    ] = None,
    output_format: FormatOption = Format.table,
) -> None:
    """Export a distilled student: weights, tokenizer, model card, and a manifest of every number's origin."""
    options: Context = context.obj
    if runtime is Runtime.onnxruntime:
        columns = Columns(text=text, text_pair=text_pair, label=label, query_id=query_id)
        with _this_machine(options, job_id) as workspace:
            onnx = workspace.export_onnx(
                job_id,
                output,
                candidate=candidate,
                quantization=None if quantize is None else _quantization(quantize, target, float_embeddings, gate),
                data=corpus_spec(data, columns) if data else None,
                calibration=corpus_spec(calibration, Columns(text=text, text_pair=text_pair)) if calibration else None,
            )
        _print_onnx(onnx, output_format)
        return
    if quantize is not None or data or calibration:
        raise InvalidInputError("--quantize, --data and --calibration are for ONNX: add --runtime onnxruntime")
    with options.workspace() as somewhere:
        summary = somewhere.export(job_id, output, candidate=candidate)
        rules = task_rules(somewhere.job(job_id).teacher.task)
    if output_format is Format.json:
        print_json(plain(summary))
        return
    tell(f"{summary.folder}: {summary.architecture}, {summary.size_bytes / 1e6:.1f} MB")
    say(f"load it with: {rules.loaded_from(summary.folder)}")


def _this_machine(options: Context, model: str) -> Workspace:
    """Where ONNX is written.

    Raises:
        InvalidInputError: The model is a job of a service.
    """
    if options.server is not None and not Path(model).is_dir():
        raise InvalidInputError(
            "a service exports for transformers; make ONNX of the directory that it gives: "
            "ose export student --runtime onnxruntime --output student-onnx"
        )
    return options.this_machine()


def _quantization(quantize: Precision, target: TargetProcessor, float_embeddings: bool, gate: str) -> Quantization:
    return Quantization(
        method=METHODS[quantize.value],
        target=target.value,
        embeddings=not float_embeddings,
        gate=gate_share(gate),
    )


def gate_share(told: str) -> float | None:
    """`1%` or `0.01`, or None of `off`.

    Raises:
        InvalidInputError: It is no share.
    """
    if told == "off":
        return None
    try:
        share = float(told.removesuffix("%")) / (100 if told.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise InvalidInputError(f"--gate must be a share as 1% or 0.01, or off, not {told[:60]!r}")
    return share


def _print_onnx(summary: OnnxSummary, output: Format) -> None:
    if output is Format.json:
        print_json(summary.to_json())
        return
    tell(
        f"{summary.folder}: {summary.precision}, {summary.size_bytes / 1e6:.1f} MB; float32 differs from torch by "
        f"{summary.logit_difference_share:.1g} of the largest logit"
    )
    if summary.verdict is not None:
        tell(summary.verdict)
        for name, (before, after) in list(summary.verdict.recalls.items())[:_MOST_LABELS]:
            if before is not None and after is not None:
                tell(f"recall of {shown(name, NAME)}: {before:.1%} in float32, {after:.1%} in int8")
