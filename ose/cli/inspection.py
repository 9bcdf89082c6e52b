"""`ose latency`: a model by the protocol that candidates are measured by, beside another one or alone."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from ose.cli.context import Context, Format, print_json, say, tell
from ose.core.bounds import BATCH, SECONDS, SEQUENCE, THREADS
from ose.core.measurement import LatencyMeasurement, LatencyProtocol, ModelLatency
from ose.tasks.onnx_folder import is_onnx, onnx_facts

_DEFAULTS = LatencyProtocol()


def latency(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model directory, or a hub id.", show_default=False)],
    reference: Annotated[
        str | None, typer.Option(help="Another model, which takes turns with it.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = _DEFAULTS.device,
    threads: Annotated[int, typer.Option(min=1, max=THREADS.most)] = _DEFAULTS.threads,
    batch_size: Annotated[
        list[int] | None, typer.Option(min=1, max=BATCH.most, help="May be repeated.", show_default="1")
    ] = None,
    sequence_length: Annotated[
        list[int] | None, typer.Option(min=1, max=SEQUENCE.most, help="May be repeated.", show_default="128")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="float32, bfloat16, float16; or int8 of onnxruntime.", show_default="float32, or the export's"
        ),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="torch or onnxruntime.", show_default="torch, or the export's")
    ] = None,
    seconds_per_shape: Annotated[
        float, typer.Option(min=SECONDS.least, max=SECONDS.most, help="Longer is better on a busy machine.")
    ] = _DEFAULTS.seconds_per_shape,
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.table,
) -> None:
    """Measure a model's inference latency on this machine: all of it, as transformers or ONNX Runtime loads it."""
    options: Context = context.obj
    facts = onnx_facts(Path(model)) if is_onnx(Path(model)) else {}
    protocol = LatencyProtocol(
        device=device,
        threads=threads,
        dtype=dtype or facts.get("precision", _DEFAULTS.dtype),
        runtime=runtime or ("onnxruntime" if facts else _DEFAULTS.runtime),
        seconds_per_shape=seconds_per_shape,
    )
    inputs = list(product(batch_size or [protocol.batch_size], sequence_length or [protocol.num_tokens]))
    with options.this_machine() as workspace:
        found = workspace.latency(model, protocol, inputs, reference)
    if output is Format.json:
        print_json({"protocol": asdict(protocol), "latencies": [asdict(each) for each in found]})
        return
    for each in found:
        tell(_line(each))
    tell(f"({len(found[0].latency.samples_ms)} rounds, {found[0].latency.fingerprint})")
    if any(each.latency.is_flagged or (each.reference and each.reference.is_flagged) for each in found):
        say("the machine is busy: what ends in ! is too noisy to believe; try again, or with more --seconds-per-shape")


def _line(found: ModelLatency) -> str:
    line = f"batch {found.batch_size} x {found.sequence_length} tokens: {_time(found.latency)}"
    ratio, error = found.latency.ratio, found.latency.ratio_stderr
    if found.reference is None or ratio is None or error is None:
        return line
    return (
        f"{line}, {ratio:.3f} ± {error:.3f} of the reference's {_time(found.reference)}, {1 / ratio:.1f} times as fast"
    )


def _time(latency: LatencyMeasurement) -> str:
    mark = "!" if latency.is_flagged else ""
    return f"{latency.p50_ms:.2f} ± {latency.absolute_stderr_ms or 0.0:.2f} ms{mark}"
