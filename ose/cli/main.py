"""The `ose` command: parse, call the workspace, print. Mistakes are one line and exit status 2."""

from __future__ import annotations

import io
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

import ose
from ose.cli import (
    comparison,
    coordinators,
    doctor,
    evaluation,
    finetuning,
    inspection,
    jobs,
    layers,
    leaderboard,
    quickstart,
    serve,
    spaces,
    students,
    tokens,
)
from ose.cli.context import Context, say
from ose.core.shown import shown, shown_block
from ose.errors import InvalidInputError, OseError

INTERRUPTED = 130
MISTAKE = 2
FAULT = 1

_NOTHING_LOST = "interrupted; nothing that was finished is lost"

_HERE_ONLY = {"compare", "coordinator", "doctor", "evaluate", "finetune", "latency", "layers", "quickstart", "serve"}
"""Commands about this machine and its processes, which no service runs for others."""

app = typer.Typer(
    name="ose",
    help="Search for the best small sub-architecture of a RoBERTa-like teacher, on your own hardware.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)
app.add_typer(jobs.app, name="job")
app.add_typer(spaces.app, name="space")
app.add_typer(tokens.app, name="token")
app.command("serve", epilog="Example: ose serve --port 8000")(serve.serve)
app.command("coordinator", epilog="Example: ose coordinator")(coordinators.coordinator)
app.command("quickstart", epilog="Example: ose quickstart")(quickstart.quickstart)
app.command("leaderboard", epilog="Example: ose leaderboard 3f9c --pareto --max-latency-ms 10")(leaderboard.leaderboard)
app.command("layers", epilog="Example: ose layers job.yaml --keep 3 --steps 50")(layers.layers)
app.command("distill", epilog="Example: ose distill 3f9c --candidate 7 --steps 5000")(students.distill)
app.command("export", epilog="Example: ose export 3f9c --output student")(students.export)
app.command(
    "finetune", epilog="Example: ose finetune encoder --data train.csv --text sentence --label label --output teacher"
)(finetuning.finetune)
app.command("evaluate", epilog="Example: ose evaluate student teacher --data dev.csv --text sentence --label label")(
    evaluation.evaluate
)
app.command("compare", epilog="Example: ose compare teacher student student-int8 --data dev.csv --label label")(
    comparison.compare
)
app.command("latency", epilog="Example: ose latency student --reference teacher --sequence-length 32")(
    inspection.latency
)
app.command("doctor", epilog="Example: ose doctor my-model")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ose {ose.__version__}")
        raise typer.Exit


@app.callback()
def settings(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of the database and all files.", envvar="OSE_HOME", show_default="results"),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help="URL of a service to use instead of this machine; OSE_TOKEN opens it.", envvar="OSE_SERVER"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Search for the best small sub-architecture of a RoBERTa-like teacher, on your own hardware."""
    if server is not None and context.invoked_subcommand in _HERE_ONLY:
        raise InvalidInputError(f"ose {context.invoked_subcommand} works on this machine; leave out --server")
    context.obj = Context(home=home, debug=debug, server=server)


def main() -> None:
    """Run the command line; translate what goes wrong into a line and an exit status."""
    debug = "--debug" in sys.argv[1:]
    _write_out_missing_letters()
    try:
        status = app(standalone_mode=False)
        if status == INTERRUPTED:
            _complain(_NOTHING_LOST)
        sys.exit(status)
    except typer.TyperException as error:
        if message := error.format_message():  # none if help was printed, for want of a command
            _complain(message.replace("Value error, ", ""))
        sys.exit(MISTAKE)
    except OseError as error:
        if debug:
            _print_traceback(error)
            sys.exit(FAULT)
        _complain(str(error))
        sys.exit(MISTAKE)
    except KeyboardInterrupt:  # before typer listens
        _complain(_NOTHING_LOST)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as `head` does
    except Exception as error:
        _print_traceback(error)
        sys.exit(FAULT)


def _complain(message: str) -> None:
    say(f"error: {shown(message)}")


def _print_traceback(error: Exception) -> None:
    """As Python does, but a message in it may be anybody's words."""
    print(shown_block("".join(traceback.format_exception(error))), file=sys.stderr, end="")


def _write_out_missing_letters() -> None:
    """A terminal or pipe of few letters gets the others by their numbers, where Python would give up."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
