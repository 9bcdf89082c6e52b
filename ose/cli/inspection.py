"""`ose latency`: a model directory by the protocol that candidates are measured by."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ose.cli.context import Context, Format, print_json, say, tell
from ose.core.bounds import BATCH, SEQUENCE, THREADS
from ose.core.measurement import LatencyProtocol
from ose.tasks.onnx_folder import is_onnx, onnx_facts

_DEFAULTS = LatencyProtocol()


def latency(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="A model directory.", show_default=False)],
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = _DEFAULTS.device,
    threads: Annotated[int, typer.Option(min=1, max=THREADS.most)] = _DEFAULTS.threads,
    batch_size: Annotated[int, typer.Option(min=1, max=BATCH.most)] = _DEFAULTS.batch_size,
    sequence_length: Annotated[int, typer.Option(min=1, max=SEQUENCE.most)] = _DEFAULTS.num_tokens,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="float32, bfloat16, float16; or int8 of onnxruntime.", show_default="float32, or the export's"
        ),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="torch or onnxruntime.", show_default="torch, or the export's")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.table,
) -> None:
    """Measure a model's inference latency on this machine. Run it with nothing beside it.

    Of a masked language model the encoder alone is timed, of an ONNX export all of the file.
    """
    options: Context = context.obj
    facts = onnx_facts(model) if is_onnx(model) else {}
    protocol = LatencyProtocol(
        device=device,
        threads=threads,
        batch_size=batch_size,
        sequence_length=sequence_length,
        dtype=dtype or facts.get("precision", _DEFAULTS.dtype),
        runtime=runtime or ("onnxruntime" if facts else _DEFAULTS.runtime),
    )
    with options.this_machine() as workspace:
        measured = workspace.latency(model, protocol)
    if output is Format.json:
        print_json({"protocol": asdict(protocol), **asdict(measured)})
        return
    tell(
        f"p50 {measured.p50_ms:.2f} ms, p10 {measured.p10_ms:.2f}, p90 {measured.p90_ms:.2f} "
        f"({len(measured.samples_ms)} calls, {measured.fingerprint})"
    )
    if measured.is_flagged:
        say(f"noisy after {measured.num_attempts} attempts: something else is running")
