"""Runs over REST: begin, look, follow, cancel, and what they rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field, TypeAdapter

from etl_service.api.begin import begin_replay, begin_run
from etl_service.api.documented import CHANGES, NEXT_LINK, Responses, problems
from etl_service.api.events import EventStream, ended, events, find_run
from etl_service.api.parameters import next_link
from etl_service.api.problems import ProblemResponse, problem_of
from etl_service.api.service import Serving
from etl_service.load.errors import Busy
from etl_service.load.store import StoredReject
from etl_service.model import Run, Status
from etl_service.runs.errors import NotRunning
from etl_service.runs.preview import readable

router = APIRouter()

RunId = Annotated[
    str, Path(alias="id", min_length=1, max_length=64, description="The run's id.", examples=["20260131-120000-a1b2c3"])
]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
RequestId = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
        max_length=128,
        description="The same key gives the same run, whatever became of it.",
    ),
]
Wait = Annotated[bool, Query(description="Answer when the run has ended.")]

_BEGUN: Responses = {
    200: {"model": Run, "description": "It has ended."},
    202: {
        "description": "It has begun.",
        "headers": {"Location": {"description": "Where its record is.", "schema": {"type": "string"}}},
    },
}

_runs = TypeAdapter(list[Run])


class RejectedRecord(BaseModel):
    """A record that did not fit, kept as it came."""

    id: int
    run_id: str
    url: str = Field(description="The page that it was on, without secrets.")
    page: int = Field(description="Counted from 1 over the run.")
    index: int = Field(description="Within its page, from 0.")
    field: str | None = Field(description="The column at fault, where there is one.")
    reason: str = Field(examples=["NotAnInteger"])
    message: str
    record: Any = Field(description="As the source sent it; as text where it is no JSON or was cut.")
    whole: bool = Field(description="False where the record was too long to keep whole; it cannot be replayed.")
    fetched_at: str


_rejects = TypeAdapter(list[RejectedRecord])


class RunResponse(Response):
    media_type = "application/json"

    def __init__(self, run: Run, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(run.model_dump_json(), status, headers)


class PageResponse(Response):
    """A page, with a link to the next where there is one."""

    media_type = "application/json"

    def __init__(self, body: bytes, request: Request, more: Mapping[str, str] | None) -> None:
        super().__init__(body, headers={"Link": next_link(request.scope, more)} if more else None)


@router.post(
    "/etl/run",
    status_code=202,
    summary="Run the pipeline",
    tags=["runs"],
    response_model=Run,
    responses={**_BEGUN, **problems(*CHANGES, 409, 422)},
)
async def run(service: Serving, request: Request, wait: Wait = False, request_id: RequestId = None) -> Response:
    """Begins a run in a process of its own. One that is under way is not disturbed: 409 tells which it is."""
    try:
        begun = await begin_run(service, "rest", request_id)
    except Busy as busy:
        return await _in_the_way(service, busy)
    return await _begun(service, request, begun, wait)


@router.post(
    "/etl/replay",
    status_code=202,
    summary="Load rejected records again",
    tags=["runs"],
    response_model=Run,
    responses={**_BEGUN, **problems(*CHANGES, 404, 409, 422)},
)
async def replay(
    service: Serving,
    request: Request,
    wait: Wait = False,
    run: Annotated[str | None, Query(min_length=1, max_length=64, description="Only what this run rejected.")] = None,
) -> Response:
    """Takes the records that did not fit through today's mapping; what fits is loaded, the rest stays rejected."""
    if run is not None:
        await find_run(service, run)
    try:
        begun = await begin_replay(service, run)
    except Busy as busy:
        return await _in_the_way(service, busy)
    return await _begun(service, request, begun, wait)


@router.get(
    "/etl/runs",
    summary="Runs, newest first",
    tags=["runs"],
    response_model=list[Run],
    responses={200: {"headers": NEXT_LINK}, **problems(404, 422)},
)
async def runs(
    service: Serving,
    request: Request,
    limit: Limit = 20,
    before: Annotated[str | None, Query(max_length=64, description="Only runs before this one, by id.")] = None,
    status: Annotated[Status | None, Query(description="Only runs of this status.")] = None,
) -> Response:
    if before is not None:
        await find_run(service, before)
    found = await service.aside(
        service.store.runs, service.pipeline.full_name, limit=limit + 1, before=before, status=status
    )
    more = {"before": found[limit - 1].id} if len(found) > limit else None
    return PageResponse(_runs.dump_json(found[:limit]), request, more)


@router.get("/etl/runs/{id}", summary="A run", tags=["runs"], response_model=Run, responses=problems(404, 422))
async def one_run(service: Serving, run_id: RunId) -> Response:
    """Its record; while it runs, with its progress."""
    return RunResponse(await find_run(service, run_id), 200)


@router.delete(
    "/etl/runs/{id}",
    status_code=202,
    summary="Cancel a run",
    tags=["runs"],
    response_model=Run,
    responses=problems(*CHANGES, 404, 409, 422),
)
async def cancel(service: Serving, run_id: RunId) -> Response:
    """Asks a running run to end: it does so as `cancelled`, with nothing loaded."""
    found = await find_run(service, run_id)
    if not await service.aside(service.store.cancel, run_id):
        raise NotRunning(run_id, found.status)
    return RunResponse(found, 202)


@router.get(
    "/etl/runs/{id}/rejects",
    summary="What a run rejected",
    tags=["runs"],
    response_model=list[RejectedRecord],
    responses={200: {"headers": NEXT_LINK}, **problems(404, 422)},
)
async def rejects(
    service: Serving,
    request: Request,
    run_id: RunId,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Only what was rejected after this one, by id.")] = 0,
) -> Response:
    """Records that did not fit, each with the reason, the field and where it came from."""
    await find_run(service, run_id)
    found = await service.aside(
        service.store.rejects, service.pipeline.full_name, run_id=run_id, limit=limit + 1, after=after
    )
    more = {"after": str(found[limit - 1].id)} if len(found) > limit else None
    return PageResponse(_rejects.dump_json([_shown(reject) for reject in found[:limit]]), request, more)


@router.get(
    "/etl/runs/{id}/events",
    summary="A run as it goes",
    tags=["runs"],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events: `progress` with the record whenever it changes, `end` with the last "
            "one, and then no more. A comment every 15 s keeps the connection alive.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(404, 422),
    },
)
async def run_events(service: Serving, run_id: RunId) -> Response:
    return EventStream(events(service, await find_run(service, run_id)))


async def _begun(service: Serving, request: Request, run: Run, wait: bool) -> Response:
    if wait:
        run = await ended(service, request, run)
    location = {"Location": f"{request.scope['root_path']}/etl/runs/{run.id}"}
    return RunResponse(run, 200 if run.ended else 202, location)


async def _in_the_way(service: Serving, busy: Busy) -> Response:
    return ProblemResponse(problem_of(busy, await service.aside(service.store.run, busy.run_id)))


def _shown(reject: StoredReject) -> RejectedRecord:
    return RejectedRecord(
        id=reject.id,
        run_id=reject.run_id,
        url=reject.url,
        page=reject.page,
        index=reject.index,
        field=reject.field,
        reason=reject.reason,
        message=reject.message,
        record=readable(reject.raw.encode()),
        whole=reject.whole,
        fetched_at=reject.fetched_at,
    )
