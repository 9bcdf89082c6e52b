"""Options by which commands name labelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from ose.core.bounds import SEQUENCE
from ose.core.spec import Columns, CorpusSpec


class Quotes(StrEnum):
    """What a quote means in CSV and TSV."""

    auto = "auto"
    csv = "csv"
    literal = "literal"


DataOption = Annotated[list[str], typer.Option("--data", help="File, glob or datasets id; may be given several times.")]
TextOption = Annotated[str, typer.Option("--text", metavar="COLUMN", help="The column of the text.")]
PairOption = Annotated[str | None, typer.Option("--text-pair", metavar="COLUMN", help="Of a second text.")]
QueryOption = Annotated[
    str | None, typer.Option("--query-id", metavar="COLUMN", help="Of the query that a row belongs to.")
]
BadRowsOption = Annotated[float, typer.Option(min=0, max=0.5, help="The share of rows that may be left out.")]
QuotesOption = Annotated[Quotes, typer.Option(help="What quotes mean in CSV and TSV.")]
CorpusAsIs = Annotated[
    bool, typer.Option("--corpus-as-is", help="Go on also if the text looks as if it were not what was meant.")
]
LengthOption = Annotated[int | None, typer.Option(min=8, max=SEQUENCE.most, help="Tokens an item at most.")]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]


def corpus_spec(
    data: Sequence[str],
    columns: Columns,
    *,
    validation: Sequence[str] = (),
    skip_bad_rows: float = 0.0,
    quotes: Quotes = Quotes.auto,
    as_is: bool = False,
) -> CorpusSpec:
    """The rows that the options name."""
    return CorpusSpec(
        train=tuple(data),
        validation=tuple(validation),
        columns=columns,
        skip_bad_rows=skip_bad_rows,
        quotes=quotes.value,
        as_is=as_is,
    )
