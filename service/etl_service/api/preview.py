"""What a run would do, and the document that says so."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from etl_service import runs
from etl_service.api.documented import problems
from etl_service.api.service import Service, Serving
from etl_service.model import timestamp
from etl_service.runs import Preview
from etl_service.spec import public_document

router = APIRouter()


@router.get(
    "/etl/preview",
    summary="What a run would do",
    tags=["pipeline"],
    response_model=Preview,
    responses=problems(422, 502),
)
async def preview(
    service: Serving,
    n: Annotated[int, Query(ge=0, le=1000, description="How many records to show.")] = 3,
    full: Annotated[bool, Query(description="Read all records, so that `would` is about all of them.")] = False,
) -> Response:
    """Reads the live source, and loads nothing: records before and after, and what a run would do with them."""
    found = await service.aside(_preview, service, n, full)
    return Response(found.model_dump_json(), media_type="application/json")


@router.get(
    "/etl/pipeline",
    summary="The pipeline document",
    tags=["pipeline"],
    response_model=dict[str, Any],
    responses=problems(),
)
async def pipeline(service: Serving) -> dict[str, Any]:
    """As the service reads it, secrets named and never told; `status.nextScheduleTime` is when a run begins next."""
    document = public_document(service.pipeline)
    if next_run_at := service.next_run_at():
        document["status"] = {"nextScheduleTime": timestamp(next_run_at)}
    return document


def _preview(service: Service, n: int, full: bool) -> Preview:
    # A loop of its own, on a thread: reading all of a source decodes all of it.
    return asyncio.run(runs.preview(service.pipeline, service.store, world=service.world, n=n, full=full))
