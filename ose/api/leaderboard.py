"""Leaderboards over HTTP, as JSON and CSV, and one candidate with everything measured of it."""

from __future__ import annotations

import io
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.datastructures import URL
from starlette.responses import Response

from ose.api.auth import CurrentCaller, Reader
from ose.api.dependencies import CurrentWorkspace, JobId, Number, Pages
from ose.api.leaderboard_schemas import CandidateDocument, LeaderboardDocument
from ose.api.request_slots import CurrentLimits, ThreadPlace
from ose.api.responses import Json, Responses, json_bytes
from ose.core.job import Job
from ose.leaderboard.candidate import candidate_json
from ose.leaderboard.csv import write_csv
from ose.leaderboard.page import LeaderboardPage
from ose.leaderboard.read import LeaderboardQuery, asked_rule
from ose.store.pages import Order

router = APIRouter(prefix="/jobs/{job_id}", tags=["leaderboard"], dependencies=[Reader])


class BoardQuery(BaseModel, extra="forbid"):
    """Which rows, in which order, under which rule."""

    order_by: Order = Query("score", description="Ascending, except scores.")
    pareto: bool = Query(False, description="Only candidates that no other one beats.")
    max_latency_ms: float | None = Query(None, ge=0, le=1e9, allow_inf_nan=False, examples=[10])
    max_parameters: int | None = Query(None, ge=0, le=10**15)
    max_loss_nats: float | None = Query(None, ge=0, le=1e9, allow_inf_nan=False)
    formula: Literal["w", "excess"] | None = Query(None, description="Rank by it; the job's own otherwise.")
    exponents: str | None = Query(
        None, max_length=100, description="Of parameters, latency and loss.", examples=["1,1,2"]
    )
    limit: int = Query(50, ge=1, le=100)
    after: str | None = Query(None, max_length=200, description="The `next` of the page before.")
    format: Literal["json", "csv"] = Query("json", description="A page of CSV names the next in its Link header.")


_CSV: Responses = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.get("/leaderboard", response_model=LeaderboardDocument, responses=_CSV)
async def leaderboard(
    job_id: JobId,
    request: Request,
    caller: CurrentCaller,
    pages: Pages,
    limits: CurrentLimits,
    query: Annotated[BoardQuery, Query()],
) -> Response:
    """A job's candidates, ranked, page by page. Any rule re-ranks a finished job without training."""
    write = _csv if query.format == "csv" else _json
    read = partial(pages.read, job_id, partial(_asked, query), query.limit, query.after, write)
    text, following = await limits.read(caller, read)
    headers = {} if following is None else {"Link": _link(request.url.include_query_params(after=following))}
    return Response(text, headers=headers, media_type="text/csv" if query.format == "csv" else "application/json")


@router.get("/candidates/{number}", response_model=CandidateDocument, dependencies=[ThreadPlace])
def candidate(job_id: JobId, number: Number, workspace: CurrentWorkspace) -> Response:
    """One candidate: its row, the loss of each training step and held-out sequence, each latency sample, its trials."""
    return Json(candidate_json(workspace.store, job_id, number))


def _link(following: URL) -> str:
    return f'<{following.path}?{following.query}>; rel="next"'


def _asked(query: BoardQuery, job: Job) -> LeaderboardQuery:
    return LeaderboardQuery(
        order_by=query.order_by,
        pareto=query.pareto,
        max_latency_ms=query.max_latency_ms,
        max_parameters=query.max_parameters,
        max_loss_nats=query.max_loss_nats,
        rule=asked_rule(job.spec.score, query.formula, query.exponents),
    )


def _json(page: LeaderboardPage) -> tuple[bytes, str | None]:
    return json_bytes(page.to_json()), page.next


def _csv(page: LeaderboardPage) -> tuple[bytes, str | None]:
    text = io.StringIO()
    board = page.board
    references = board.references and (() if page.next else board.references)  # they end the last page
    write_csv(board.rows, board.metric_names, text, references)
    return text.getvalue().encode(), page.next
