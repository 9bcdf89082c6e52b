"""`ose evaluate`: how good models are on data that say what is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ose.cli.context import Context, Format, print_json, say, tell
from ose.cli.corpus_options import (
    BadRowsOption,
    CorpusAsIs,
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
from ose.core.measurement import text_with_error
from ose.core.metric_names import metric_label
from ose.core.shown import NAME, shown
from ose.core.spec import Columns

if TYPE_CHECKING:
    from rich.table import Table

    from ose.core.measurement import Metric
    from ose.core.model_report import EvaluationReport, FlipReport, LabelReport

_MOST_LABELS = 12
"""Lines of a table by label: those that stand worst."""


def evaluate(
    context: typer.Context,
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Directories or hub ids.", show_default=False)
    ],
    data: DataOption,
    text: TextOption = "text",
    text_pair: PairOption = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of what is right of a row.", show_default="none")
    ] = None,
    query_id: QueryOption = None,
    teacher: Annotated[str | None, typer.Option(help="A model whose answers they are held against.")] = None,
    sequence_length: LengthOption = None,
    skip_bad_rows: BadRowsOption = 0.0,
    quotes: QuotesOption = Quotes.auto,
    corpus_as_is: CorpusAsIs = False,
    device: DeviceOption = "cpu",
    output: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.table,
) -> None:
    """Judge models by labels, or by the text itself, with standard errors; several models are compared in pairs."""
    options: Context = context.obj
    columns = Columns(text=text, text_pair=text_pair, label=label, query_id=query_id)
    corpus = corpus_spec(data, columns, skip_bad_rows=skip_bad_rows, quotes=quotes, as_is=corpus_as_is)
    with options.this_machine() as workspace:
        report = workspace.evaluate(models, corpus, teacher=teacher, sequence_length=sequence_length, device=device)
    if output is Format.json:
        print_json(report.to_json())
        return
    _print(report)


def _print(report: EvaluationReport) -> None:
    from ose.cli.text_tables import console

    out = console()
    for table in (_models(report), *_by_label(report)):
        out.print(table, soft_wrap=True)
    cut = f", {report.share_cut:.1%} of them cut" if report.share_cut else ""
    tell(
        f"{report.num_items:,} items of up to {report.sequence_length} tokens{cut}; ± is one standard error over items"
    )
    if missing := report.labels_without_example:
        say(f"no item has the label {shown(', '.join(missing[:_MOST_LABELS]), NAME)}")


def _models(report: EvaluationReport) -> Table:
    from ose.cli.text_tables import plain_table

    names = list(report.models[0].metrics)
    table = plain_table("model", *map(metric_label, names), justify="right")
    for model in report.models:
        table.add_row(model.model, *(_figure(name, model.metrics[name]) for name in names))
        if model.differences:
            table.add_row("less the first", *(_difference(name, model.differences) for name in names))
    if spread := report.spread:
        cells = (text_with_error(name, spread[name].mean, spread[name].stdev) for name in names)
        table.add_row("mean ± sd of models", *cells)
    return table


def _by_label(report: EvaluationReport) -> Iterator[Table]:
    """What stands worst by label: recall and precision of one model, and flips of each."""
    from ose.cli.text_tables import plain_table

    models = report.models
    if len(models) == 1 and models[0].labels:
        table = plain_table("\nlabel", "\nitems", "\nrecall", "\nprecision", justify="right")
        for each in sorted(models[0].labels, key=_recall)[:_MOST_LABELS]:
            table.add_row(each.label, f"{each.num_items:,}", _share(each.recall), _share(each.precision))
        yield table
    for model in (each for each in models if each.flips):
        table = plain_table("\nteacher says", "\nitems", "\nflipped", "\nmostly to", justify="right")
        for flip in sorted(model.flips, key=_kept)[:_MOST_LABELS]:
            table.add_row(flip.label, f"{flip.num_items:,}", _share(flip.share), flip.most_often or "")
        if len(models) > 1:
            table.title = shown(model.model, NAME)
        yield table


def _recall(label: LabelReport) -> float:
    return 2.0 if label.recall is None else label.recall.value


def _kept(flip: FlipReport) -> float:
    return -flip.share.value


def _share(metric: Metric | None) -> str:
    return "" if metric is None else _figure("share", metric)


def _figure(name: str, metric: Metric) -> str:
    return text_with_error(name, metric.value, metric.stderr)


def _difference(name: str, differences: Mapping[str, Metric]) -> str:
    if name not in differences:  # beside a teacher there is none
        return ""
    metric = differences[name]
    return f"{'+' if metric.value >= 0 else ''}{_figure(name, metric)}"
