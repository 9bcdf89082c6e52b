"""Whether the server lives, whether it can work, and its numbers for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from anyio import move_on_after, to_thread
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ose.api.auth import Reader
from ose.api.dependencies import CurrentWorkspace
from ose.api.problems import problem
from ose.api.request_slots import CurrentLimits, ThreadPlace
from ose.api.responses import Json, Responses
from ose.api.schemas import HealthDocument, ReadyDocument
from ose.errors import StoreError
from ose.store.base import Store
from ose.store.migrate import known_revisions

router = APIRouter(tags=["operation"])

_PATIENCE_S = 3.0
"""For the database; to say whether the server is ready takes no longer."""


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", response_model=HealthDocument)
async def health() -> Response:
    """The process answers."""
    return Json({"status": "ok"})


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", response_model=ReadyDocument)
async def ready(workspace: CurrentWorkspace, limits: CurrentLimits) -> Response:
    """The database can be read, and its tables are those of this OSE."""
    revision = None
    with suppress(StoreError), move_on_after(_PATIENCE_S):
        look = workspace.lookout.revision
        revision = await to_thread.run_sync(look, limiter=limits.health_checks, abandon_on_cancel=True)
    if revision is None:
        return problem(503, "store", "the database cannot be reached")
    if revision != known_revisions()[-1]:
        return problem(503, "store", "the database's tables are not those of this OSE")
    return Json({"status": "ready", "revision": revision})


_TEXT: Responses = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", dependencies=[Reader, ThreadPlace], response_class=Response, responses=_TEXT)
def metrics(request: Request) -> Response:
    """Requests by route and status with their times, and jobs by status, for Prometheus."""
    numbers: Metrics = request.app.state.metrics
    return Response(numbers.text(), media_type=CONTENT_TYPE_LATEST)


class Metrics:
    """The numbers of one app, in a registry of its own."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_JobCounts(store))
        labels = ("method", "route", "status")
        self._requests = Counter("ose_http_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "ose_http_request_seconds", "Time to the end of the answer.", ("route",), registry=self._registry
        )

    def text(self) -> bytes:
        """In Prometheus's format."""
        return generate_latest(self._registry)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. Routes are patterns, so that ids do not make a series each."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class _JobCounts(Collector):
    """Asks the database when Prometheus asks us."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing ahead of time: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Jobs by status."""
        family = GaugeMetricFamily("ose_jobs", "Jobs by status.", labels=["status"])
        for status, count in self._store.count_jobs().items():
            family.add_metric([status], count)
        yield family


class RequestMetrics:
    """Counts and times every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, status = time.perf_counter(), 500

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.count(method, route, status, time.perf_counter() - began)


_METHODS = {"GET", "HEAD", "POST", "DELETE"}
