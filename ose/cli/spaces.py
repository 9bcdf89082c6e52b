"""`ose space`: the shipped search spaces and their members."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from ose.cli.context import Context, Format, print_json
from ose.core.bounds import SEQUENCE
from ose.core.job import layers_text
from ose.core.search_space import SearchSpace
from ose.core.spec import TeacherSpec
from ose.errors import SearchSpaceError
from ose.families.counts import FamilyCounts, counts_of
from ose.inputs.space_json import member_json, summary_json
from ose.inputs.space_size import require_small_space

app = typer.Typer(help="List search spaces and their members.", no_args_is_help=True)

FormatOption = Annotated[Format, typer.Option("--format", help="What to print.")]


@app.command("list", epilog="Example: ose space list")
def list_spaces(context: typer.Context, output: FormatOption = Format.table) -> None:
    """List the shipped search spaces."""
    options: Context = context.obj
    with options.workspace() as workspace:
        rows = [summary_json(space) for space in workspace.spaces()]
    if output is Format.json:
        print_json(rows)
        return
    _print_spaces(rows)


@app.command(epilog="Example: ose space show bort --format json")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A shipped space, or a YAML file.", show_default=False)],
    teacher: Annotated[str | None, typer.Option(help="Count parameters with this teacher's vocabulary.")] = None,
    sequence_length: Annotated[
        int, typer.Option(min=1, max=SEQUENCE.most, help="Tokens of one input, for operations.")
    ] = 128,
    epsilon: Annotated[int, typer.Option(min=1, max=10**9, help="Only the members that a search with it visits.")] = 1,
    output: FormatOption = Format.table,
) -> None:
    """Show a space's size, range and members, in the order in which a search visits them."""
    options: Context = context.obj
    with options.workspace() as workspace:
        space = workspace.space(name)
    require_small_space(space)
    counts, num_teacher_layers = _teacher(space, teacher)
    size = space.count(num_teacher_layers)
    visited = space.members(counts, num_teacher_layers, stride=epsilon)
    members = [
        member_json(number, member, counts, sequence_length)
        for number, member in zip(range(1, size + 1, epsilon), visited, strict=True)
    ]
    if output is Format.json:
        print_json({"name": space.name, "size": size, "embedding": asdict(counts.embedding), "members": members})
        return
    _print_members(space, size, members)


def _teacher(space: SearchSpace, teacher: str | None) -> tuple[FamilyCounts, int | None]:
    """What the members depend on: what they cost, and the depth where there is a teacher."""
    if teacher is not None:
        from ose.inputs.teachers import inspect_teacher

        facts = inspect_teacher(TeacherSpec(model=teacher))
        return counts_of(facts), facts.architecture.num_hidden_layers
    if space.embedding is None:
        raise SearchSpaceError(f"space {space.name!r} names no embedding; give --teacher, whose vocabulary counts")
    return FamilyCounts(space.embedding), None


def _print_spaces(rows: list[dict[str, Any]]) -> None:
    from ose.cli.text_tables import console, plain_table

    table = plain_table("name", "members", "description")
    for row in rows:
        table.add_row(str(row["name"]), str(row["size"]), str(row["description"]))
    console().print(table)


def _print_members(space: SearchSpace, size: int, members: list[dict[str, Any]]) -> None:
    from ose.cli.text_tables import console, plain_table, title

    kept = ("kept",) if space.layers else ()
    titles = ("no.", "layers", "heads", "hidden", "intermediate", *kept, "parameters", "encoder", "MFLOP")
    table = plain_table(*titles, justify="right")
    for member in members:
        encoder, operations = f"{member['num_encoder_parameters']:,}", f"{member['flops'] / 1e6:,.0f}"
        sizes = [str(value) for value in member["architecture"].values()]
        sizes += [layers_text(member["layers"])] if kept else []
        table.add_row(str(member["number"]), *sizes, f"{member['num_parameters']:,}", encoder, operations)
    smallest, largest = members[0]["num_parameters"], members[-1]["num_parameters"]
    some = f", {len(members)} shown" if len(members) < size else ""
    out = console()
    out.print(title(space.name, f": {size} members{some}: {smallest:,} to {largest:,} parameters"))
    out.print(table)
