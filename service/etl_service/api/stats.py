"""The pipeline's table in numbers."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from etl_service.api.counting import Counted
from etl_service.api.documented import problems
from etl_service.api.service import Service, Serving
from etl_service.model import Run
from etl_service.spec import ColumnType

router = APIRouter()


class ColumnStats(BaseModel):
    name: str
    type: ColumnType
    nulls: int


class Freshness(BaseModel):
    checked_at: str | None = Field(description="When a run last succeeded: the data is the source's as of then.")
    changed_at: str | None = Field(description="When a row was last inserted or updated.")
    seconds: float | None = Field(description="Since checked_at.")


class Stats(BaseModel):
    pipeline: str
    table: str
    rows: int
    columns: list[ColumnStats]
    bytes: int | None = Field(description="Size of the database; null before the first run.")
    freshness: Freshness
    last_run: Run | None
    next_run_at: datetime | None = Field(description="When the schedule begins a run next.")


@router.get("/stats", summary="The table in numbers", tags=["data"], response_model=Stats, responses=problems())
async def stats(service: Serving) -> Response:
    """Rows, columns with types and null counts, the size of the database, the last run, and how fresh it all is."""
    found = await service.aside(_stats, service)
    return Response(found.model_dump_json(), media_type="application/json")


def _stats(service: Service) -> Stats:
    name = service.pipeline.full_name
    succeeded = service.store.last(name, "succeeded")
    counted = service.counting(succeeded)
    checked_at = succeeded.ended_at if succeeded else None
    return Stats(
        pipeline=service.pipeline.metadata.name,
        table=service.pipeline.spec.load.table,
        rows=counted.stats.rows if counted else 0,
        columns=_columns(counted) if counted else [],
        bytes=counted.stats.bytes if counted else None,
        freshness=Freshness(
            checked_at=checked_at,
            changed_at=counted.stats.fresh_at if counted else None,
            seconds=_since(checked_at, service.world.clock()),
        ),
        last_run=service.store.last(name),
        next_run_at=service.next_run_at(),
    )


def _columns(counted: Counted) -> list[ColumnStats]:
    nulls = counted.stats.nulls
    return [ColumnStats(name=each.name, type=each.type, nulls=nulls[each.name]) for each in counted.table.columns]


def _since(moment: str | None, now: datetime) -> float | None:
    return max(0.0, round((now - datetime.fromisoformat(moment)).total_seconds(), 3)) if moment else None
