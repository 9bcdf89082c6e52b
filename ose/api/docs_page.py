"""`/docs`: FastAPI's page of the OpenAPI document, with script and style of this server: networks may be closed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

from ose.api.openapi import DOCUMENT_URL

router = APIRouter(include_in_schema=False)

_MEDIA_TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@router.get("/docs")
async def docs() -> Response:
    """Every operation with its fields, and a form that calls it."""
    text = _page()
    return HTMLResponse(text, headers={"Content-Security-Policy": _policy(text)})


@router.get("/docs/swagger-ui-bundle.js")
@router.get("/docs/swagger-ui.css")
@router.get("/docs/favicon.png")
async def asset(request: Request) -> Response:
    """A part of the page."""
    name = request.url.path.rpartition("/")[2]
    return Response(_asset(name), media_type=_MEDIA_TYPES[name], headers={"Cache-Control": "max-age=3600"})


@router.get(DOCUMENT_URL)
async def openapi(request: Request) -> Response:
    """The same for tools."""
    return Response(_document(request), media_type="application/json")


def _document(request: Request) -> str:
    """Written once while the gate is open and once when it is shut: anybody may ask for it."""
    written: dict[bool, str] = request.app.state.documents
    is_shut: bool = request.app.state.gate.is_shut
    if is_shut not in written:
        written[is_shut] = json.dumps(request.app.openapi())
    return written[is_shut]


@cache
def _page() -> str:
    script, style, icon = (f"/docs/{name}" for name in _MEDIA_TYPES)
    page = get_swagger_ui_html(
        openapi_url=DOCUMENT_URL,
        title="OSE",
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
    )
    return bytes(page.body).decode()


@cache
def _asset(name: str) -> bytes:
    return (files("fastapi_offline") / "static" / name).read_bytes()


def _policy(page: str) -> str:
    """What a browser may do with the page: run its own scripts, and ask this server."""
    digests = (hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'"
    )
