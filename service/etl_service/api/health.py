"""For probes and load balancers."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from etl_service.api.documented import problems
from etl_service.api.launch import Stopping
from etl_service.api.service import Serving

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


@router.get("/health", summary="Does the process answer")
async def health() -> Health:
    return Health()


@router.get("/ready", summary="Can it serve", responses=problems())
async def ready(service: Serving) -> Health:
    """Also asks the database; 503 says why not."""
    if service.stopping.is_set():
        raise Stopping("the service is stopping")
    await service.aside(service.store.check)
    return Health()
