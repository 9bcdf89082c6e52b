"""`ose finetune`: from an encoder and labelled rows to a classifier."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ose.cli.context import Context, Format, print_json, say, tell, this_command
from ose.cli.corpus_options import (
    BadRowsOption,
    DataOption,
    DeviceOption,
    LengthOption,
    PairOption,
    QueryOption,
    Quotes,
    QuotesOption,
    TextOption,
    corpus_spec,
)
from ose.core.bounds import BATCH, SEED, STEPS, THREADS
from ose.core.finetuning import FinetuningSpec, HeadRequest
from ose.core.measurement import text_with_error
from ose.core.metric_names import metric_label
from ose.core.shown import NAME, shown
from ose.core.spec import Columns

if TYPE_CHECKING:
    from ose.core.finetuning import FinetuningReport

_DEFAULTS = FinetuningSpec()


class Problem(StrEnum):
    """What outputs mean."""

    single_label_classification = "single_label_classification"
    multi_label_classification = "multi_label_classification"
    regression = "regression"


class Precision(StrEnum):
    """Of the arithmetic."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


def finetune(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="An encoder or a classifier: a directory, or a hub id.", show_default=False)
    ],
    data: DataOption,
    output: Annotated[Path, typer.Option(help="A directory that does not exist yet.", show_default=False)],
    validation: Annotated[
        list[str] | None, typer.Option(help="Held-out rows.", show_default="a tenth of the data")
    ] = None,
    text: TextOption = "text",
    text_pair: PairOption = None,
    label: Annotated[str, typer.Option(metavar="COLUMN", help="Of what is right of a row.")] = "label",
    query_id: QueryOption = None,
    labels: Annotated[
        str | None, typer.Option(help="Names by id: negative,positive.", show_default="those of the data")
    ] = None,
    problem_type: Annotated[
        Problem | None, typer.Option(help="What the outputs mean.", show_default="follows from the labels")
    ] = None,
    new_head: Annotated[bool, typer.Option("--new-head", help="Give a classifier a new head, too.")] = False,
    task: Annotated[str | None, typer.Option(show_default="the model's, or text_classification")] = None,
    epochs: Annotated[float, typer.Option(min=1e-6, max=10_000)] = _DEFAULTS.epochs,
    steps: Annotated[int | None, typer.Option(min=1, max=STEPS.most, help="In the place of epochs.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=BATCH.most)] = _DEFAULTS.batch_size,
    learning_rate: Annotated[float, typer.Option(min=0, max=100)] = _DEFAULTS.learning_rate,
    sequence_length: LengthOption = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED.most, help="The first one.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, max=1_000, help="How many: a model each.")] = 1,
    skip_bad_rows: BadRowsOption = 0.0,
    quotes: QuotesOption = Quotes.auto,
    precision: Annotated[Precision, typer.Option()] = Precision.auto,
    checkpoint_every: Annotated[int, typer.Option(min=1, max=STEPS.most)] = _DEFAULTS.checkpoint_every,
    threads: Annotated[int | None, typer.Option(min=1, max=THREADS.most, show_default="all cores")] = None,
    device: DeviceOption = "cpu",
    output_format: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.table,
) -> None:
    """Train an encoder or a classifier on labels. The same command again goes on where it stood, or repeats nothing."""
    options: Context = context.obj
    columns = Columns(text=text, text_pair=text_pair, label=label, query_id=query_id)
    corpus = corpus_spec(data, columns, validation=validation or (), skip_bad_rows=skip_bad_rows, quotes=quotes)
    spec = FinetuningSpec(
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        precision=precision.value,
        checkpoint_every=checkpoint_every,
    )
    names = tuple(each.strip() for each in labels.split(",")) if labels is not None else ()
    head = HeadRequest(labels=names, problem_type=None if problem_type is None else problem_type.value, is_new=new_head)
    with options.this_machine() as workspace:
        try:
            report = workspace.finetune(
                model,
                corpus,
                output,
                spec=spec,
                head=head,
                seeds=range(seed, seed + seeds),
                sequence_length=sequence_length,
                task=task,
                threads=threads,
                device=device,
            )
        except KeyboardInterrupt:
            say("\ninterrupted; the last checkpoint is kept. Go on with the same command")
            sys.exit(130)
    if output_format is Format.json:
        print_json({"output": str(output), **report.to_json()})
        return
    _print(report, output)


def _print(report: FinetuningReport, output: Path) -> None:
    from ose.cli.text_tables import console, plain_table

    names = list(report.models[0].metrics)
    table = plain_table("seed", *(f"{metric_label(name)} ±" for name in names), "steps", "seconds", justify="right")
    for model in report.models:
        figures = (text_with_error(name, each.value, each.stderr) for name, each in model.metrics.items())
        table.add_row(str(model.seed), *figures, str(model.num_steps), f"{model.wall_time_s:.0f}")
    if spread := report.spread:
        cells = (text_with_error(name, spread[name].mean, spread[name].stdev) for name in names)
        table.add_row("mean ± sd", *cells, "", "")
    console().print(table)
    best = f", the best of {len(report.models)} seeds on the validation part" if len(report.models) > 1 else ""
    labels = f"labels {', '.join(report.labels[:8])}{' ...' if len(report.labels) > 8 else ''}" if report.labels else ""
    tell(shown(f"{output}: {report.problem_type}{', ' + labels if labels else ''}{best}", 2 * NAME))
    say(f"next: {this_command()} evaluate {shown(output, NAME)} --data FILE")
