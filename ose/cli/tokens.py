"""`ose token`: who may use a service."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ose.cli.context import Context, Format, print_json, say, tell
from ose.core.access import Scope
from ose.core.shown import shown

app = typer.Typer(help="Make, list and revoke the tokens that open a service.", no_args_is_help=True)

FormatOption = Annotated[Format, typer.Option("--format", help="What to print.")]


@app.command(epilog="Example: ose token create ci --scope submit --days 90")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.", show_default=False)],
    scope: Annotated[Scope, typer.Option(help="Each one includes those before it.")] = Scope.READ,
    days: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Valid for so long.", show_default="until revoked")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Make a token and print it, this once. Hand it to `ose --server` in OSE_TOKEN."""
    options: Context = context.obj
    with options.workspace() as workspace:
        token, secret = workspace.tokens.create(name, scope, days)
    if output is Format.json:
        print_json({**asdict(token), "token": secret})
        return
    tell(secret)
    say(
        f"token {token.id} for {shown(name)}: {scope}. "
        "It is not shown again; a server that was open asks for one from now on"
    )


@app.command("list", epilog="Example: ose token list")
def list_tokens(context: typer.Context, output: FormatOption = Format.table) -> None:
    """List all tokens, revoked ones too."""
    from ose.cli.text_tables import console, plain_table

    options: Context = context.obj
    with options.workspace() as workspace:
        tokens = workspace.tokens.list()
    if output is Format.json:
        print_json([asdict(token) for token in tokens])
        return
    table = plain_table("id", "name", "scope", "created", "expires", "revoked")
    for token in tokens:
        times = (token.created_at, token.expires_at, token.revoked_at)
        table.add_row(token.id, token.name, token.scope, *(f"{time:%Y-%m-%d %H:%M}" if time else "" for time in times))
    console().print(table)


@app.command(epilog="Example: ose token revoke 1f0c22ab")
def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.", show_default=False)],
) -> None:
    """Withdraw a token. It opens nothing from now on."""
    options: Context = context.obj
    with options.workspace() as workspace:
        token = workspace.tokens.revoke(token_id)
    say(f"token {token.id} of {shown(token.name)} is revoked")
