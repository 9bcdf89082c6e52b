"""`ose compare`: models side by side."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ose.cli.context import Context, print_json, say, tell
from ose.cli.corpus_options import LengthOption, PairOption, QueryOption, TextOption, corpus_spec
from ose.core.bounds import BATCH, SEQUENCE, THREADS
from ose.core.measurement import LatencyProtocol
from ose.core.spec import Columns
from ose.errors import DependencyError

if TYPE_CHECKING:
    from ose.core.comparison import Comparison

_DEFAULTS = LatencyProtocol()


class ComparisonFormat(StrEnum):
    """How a comparison is printed."""

    table = "table"
    markdown = "markdown"
    csv = "csv"
    json = "json"


def compare(
    context: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Directories, ONNX exports, distilled candidates (JOB:NUMBER). Others are held against the first.",
            show_default=False,
        ),
    ],
    data: Annotated[list[str] | None, typer.Option(help="What they are judged on.", show_default="nothing")] = None,
    text: TextOption = "text",
    text_pair: PairOption = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of what is right of a row.", show_default="none")
    ] = None,
    query_id: QueryOption = None,
    max_length: LengthOption = None,
    threads: Annotated[int, typer.Option(min=1, max=THREADS.most)] = _DEFAULTS.threads,
    batch_size: Annotated[int, typer.Option(min=1, max=BATCH.most)] = _DEFAULTS.batch_size,
    sequence_length: Annotated[
        int, typer.Option(min=1, max=SEQUENCE.most, help="Tokens that latency is of.")
    ] = _DEFAULTS.num_tokens,
    picture: Annotated[Path | None, typer.Option(help="A file for a picture, .svg or .png.")] = None,
    output: Annotated[ComparisonFormat, typer.Option("--format", help="What to print.")] = ComparisonFormat.table,
) -> None:
    """Compare models: parameters, size, latency where each runs, and quality. Run it with nothing beside it."""
    options: Context = context.obj
    if picture is not None:
        require_matplotlib()
    columns = Columns(text=text, text_pair=text_pair, label=label, query_id=query_id)
    corpus = corpus_spec(data, columns) if data else None
    protocol = LatencyProtocol(threads=threads, batch_size=batch_size, sequence_length=sequence_length)
    with options.this_machine() as workspace:
        found = workspace.compare(models, corpus, protocol, sequence_length=max_length)
    _print(found, output)
    if picture is not None:
        from ose.cli.comparison_picture import draw

        draw(found, picture)


def require_matplotlib() -> None:
    """Before anything is measured.

    Raises:
        DependencyError: It is not installed.
    """
    try:
        import matplotlib  # noqa: F401 # whether it is there
    except ImportError as error:
        raise DependencyError("--picture needs matplotlib, not installed here: pip install 'ose[report]'") from error


def _print(found: Comparison, output: ComparisonFormat) -> None:
    if output is ComparisonFormat.json:
        print_json(found.to_json())
    elif output is ComparisonFormat.csv:
        typer.echo(found.to_csv(), nl=False)
    elif output is ComparisonFormat.markdown:
        typer.echo(found.to_markdown(), nl=False)
    else:
        _print_table(found)


def _print_table(found: Comparison) -> None:
    from ose.cli.text_tables import console, plain_table

    head, *rows = found.rows()
    table = plain_table(*head, justify="right")
    for row in rows:
        table.add_row(*row)
    console().print(table, soft_wrap=True)
    protocol = found.protocol
    tell(f"latency of batch {protocol.batch_size} x {protocol.num_tokens} tokens, {protocol.threads} thread(s)")
    if found.num_items is not None:
        tell(f"{found.num_items:,} items; ± is one standard error, * differs from the first by more than two")
    if any(model.latency_flagged for model in found.models):
        say("! was disturbed: do not believe it")
