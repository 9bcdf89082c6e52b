"""Every number that a command or the address of a request takes has a lower and an upper bound, and says so itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
import typer
from fastapi import FastAPI, Query

from ose.api.app import create_app
from ose.cli.main import app
from ose.workspace import Workspace

Number = tuple[str, Any, Any]
"""What it is called, its lower and its upper bound."""

UNBOUNDED: dict[str, str] = {}
"""Numbers that need no bounds, each with the reason."""


def options(app: typer.Typer) -> Iterator[Number]:
    """The numbers that the commands of an app take."""
    commands = typer.main.get_command(app)
    yield from _options(commands, "ose")


def _options(command: Any, name: str) -> Iterator[Number]:
    for option in command.params:
        kind = option.type_descriptor and option.type_descriptor.annotation
        if _is_number(kind):
            yield f"{name} {option.opts[0]}", option.min, option.max
    for word, each in getattr(command, "commands", {}).items():
        yield from _options(each, f"{name} {word}")


def _is_number(kind: Any) -> bool:
    return kind in (int, float) or any(map(_is_number, get_args(kind)))


def parameters(app: FastAPI) -> Iterator[Number]:
    """The numbers in the paths and queries of an API."""
    for path, verbs in app.openapi()["paths"].items():
        for verb, operation in verbs.items():
            for parameter in operation.get("parameters", ()):
                for schema in _numeric(parameter["schema"]):
                    bounds = schema.get("minimum"), schema.get("maximum")
                    yield (f"{verb.upper()} {path} {parameter['name']}", *bounds)


def _numeric(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if schema.get("type") in ("integer", "number"):
        yield schema
    for inner in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from _numeric(inner)


def without_bounds(numbers: Iterator[Number]) -> set[str]:
    return {name for name, least, most in numbers if least is None or most is None}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    with Workspace(tmp_path_factory.mktemp("home")) as workspace:
        yield create_app(workspace)


def test_options_of_commands_are_bounded() -> None:
    assert without_bounds(options(app)) <= set(UNBOUNDED)


@pytest.mark.slow
def test_parameters_of_the_api_are_bounded(api: FastAPI) -> None:
    assert without_bounds(parameters(api)) <= set(UNBOUNDED)


def test_what_needs_no_bounds_is_still_there(api: FastAPI) -> None:
    assert set(UNBOUNDED) <= {name for numbers in (options(app), parameters(api)) for name, *_ in numbers}


def test_a_number_without_bounds_would_be_found() -> None:
    commands, service = typer.Typer(), FastAPI()

    @commands.command("go")
    def go(fast: Annotated[int | None, typer.Option(min=1)] = None, rates: list[float] | None = None) -> None: ...

    @commands.command("stay")
    def stay(until: Path, still: Annotated[bool, typer.Option()] = False) -> None: ...

    @service.get("/a")
    def ask(number: Annotated[int | None, Query(ge=1)] = None, good: Annotated[int, Query(ge=1, le=2)] = 1) -> None: ...

    assert without_bounds(options(commands)) == {"ose go --fast", "ose go --rates"}
    assert without_bounds(parameters(service)) == {"GET /a number"}
