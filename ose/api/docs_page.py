"""`/docs`: the OpenAPI document as a page that needs no script and no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "code,pre{font-family:monospace;background:#f3f3f3}pre{padding:.6em;overflow:auto}"
    "td,th{text-align:left;vertical-align:top;padding:.1em 1em .1em 0}h3 code{background:none}"
)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every operation with its parameters, an example of its body and a command that calls it."""
    return HTMLResponse(_written(request, page))


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The same for tools."""
    return Response(_written(request, json.dumps), media_type="application/json")


def _written(request: Request, write: Callable[[dict[str, Any]], str]) -> str:
    """The document, written once while the gate is open and once when it is shut: anybody may ask for it."""
    written: dict[Any, str] = request.app.state.documents
    key = write, request.app.state.gate.is_shut
    if key not in written:
        written[key] = write(request.app.openapi())
    return written[key]


def page(document: dict[str, Any]) -> str:
    """An OpenAPI document as HTML.

    Swagger's page, which is usual here, loads its script from another site; a server inside a closed network has none.
    """
    info = document["info"]
    sections = "".join(
        _operation(path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>"
        f"<style>{_STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])}</p><p>For tools: <a href=/openapi.json>openapi.json</a></p>{sections}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(map(_parameter, operation.get("parameters", ())))
    table = f"<table>{parameters}</table>" if parameters else ""
    return (
        f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(operation.get('description', ''))}</p>"
        f"{table}<pre>{escape(_command(path, method, operation))}</pre>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    values = schema.get("enum") or [
        str(part["type"]) for part in schema.get("anyOf", [schema]) if part.get("type", "null") != "null"
    ]
    default = f", {schema['default']} unless given" if schema.get("default") is not None else ""
    note = parameter.get("description", schema.get("description", ""))
    kind = " | ".join(map(str, values))
    return f"<tr><th>{escape(parameter['name'])}<td>{escape(kind + default)}<td>{escape(note)}"


def _command(path: str, method: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    verb = "" if method == "get" else f" -X {method.upper()}"
    data = f" \\\n  --json '{json.dumps(body)}'" if body else ""
    return f'curl{verb} -H "Authorization: Bearer $OSE_TOKEN" $OSE_SERVER{path}{data}'
