"""`ose leaderboard`: a job's candidates, ranked under any rule."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, get_args

import typer

from ose.cli.context import MOST_ROWS, Context, print_json
from ose.core.bounds import FACTOR
from ose.leaderboard.csv import write_csv
from ose.leaderboard.read import Leaderboard, LeaderboardQuery, asked_rule
from ose.store.pages import Order

OrderBy = StrEnum("OrderBy", {name: name for name in get_args(Order)})  # type: ignore[misc]
Formula = StrEnum("Formula", {"w": "w", "excess": "excess"})
_BY_SCORE = OrderBy("score")


class TableFormat(StrEnum):
    """How a leaderboard is printed."""

    table = "table"
    json = "json"
    csv = "csv"


def leaderboard(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its beginning.", show_default=False)],
    order_by: Annotated[OrderBy, typer.Option(help="Ascending, except scores.")] = _BY_SCORE,
    pareto: Annotated[bool, typer.Option("--pareto", help="Only candidates that no other one beats.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST_ROWS, help="At most so many rows.", show_default="all")
    ] = None,
    max_latency_ms: Annotated[float | None, typer.Option(min=0, max=FACTOR.most, help="Leave out slower ones.")] = None,
    max_parameters: Annotated[int | None, typer.Option(min=0, max=10**15, help="Leave out larger ones.")] = None,
    max_loss_nats: Annotated[float | None, typer.Option(min=0, max=FACTOR.most, help="Leave out worse ones.")] = None,
    formula: Annotated[Formula | None, typer.Option(help="Rank by it.", show_default="the job's")] = None,
    exponents: Annotated[
        str | None, typer.Option(help="Of parameters, latency and loss, as in 1,1,2.", show_default="the job's")
    ] = None,
    output: Annotated[TableFormat, typer.Option("--format", help="What to print.")] = TableFormat.table,
) -> None:
    """Show a job's candidates, ranked. Any rule re-ranks a finished job without training."""
    options: Context = context.obj
    with options.workspace() as workspace:
        own = workspace.job(job_id).spec.score
        query = LeaderboardQuery(
            order_by=order_by.value,  # type: ignore[arg-type]
            pareto=pareto,
            limit=limit,
            max_latency_ms=max_latency_ms,
            max_parameters=max_parameters,
            max_loss_nats=max_loss_nats,
            rule=asked_rule(own, formula.value if formula else None, exponents),
        )
        board = workspace.leaderboard(job_id, query)
    _print(board, output)


def _print(board: Leaderboard, output: TableFormat) -> None:
    if output is TableFormat.json:
        print_json(board.to_json())
    elif output is TableFormat.csv:
        write_csv(board.rows, board.metric_names, sys.stdout, board.references)
    else:
        from ose.cli.leaderboard_table import print_leaderboard

        print_leaderboard(board)
