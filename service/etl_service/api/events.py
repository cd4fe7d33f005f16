"""A run's progress as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.responses import StreamingResponse

from etl_service.api.service import Service
from etl_service.model import Run
from etl_service.runs.errors import RunNotFound

#: How often the record is looked at, and how long nothing may be sent, in seconds.
_LOOK = 0.5
_HEARTBEAT = 15.0


class EventStream(StreamingResponse):
    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        # Nginx holds answers back to send them in large pieces, unless told not to.
        super().__init__(events, headers={"X-Accel-Buffering": "no"})


async def find_run(service: Service, run_id: str) -> Run:
    """The pipeline's run of that id.

    Raises:
        RunNotFound: there is none.
    """
    run = await service.aside(service.store.run, run_id)
    if run is None or f"{run.namespace}/{run.pipeline}" != service.pipeline.full_name:
        raise RunNotFound(run_id)
    return run


async def events(service: Service, run: Run) -> AsyncIterator[bytes]:
    """``progress`` with the record now and whenever it changes, ``end`` with the last one; comments in between."""
    yield _event(run)
    quiet = 0.0
    while not run.ended and not service.stopping.is_set():
        await asyncio.sleep(_LOOK)
        quiet += _LOOK
        fresh = await find_run(service, run.id)
        if fresh != run:
            run, quiet = fresh, 0.0
            yield _event(run)
        elif quiet >= _HEARTBEAT:
            quiet = 0.0
            yield b": still running\n\n"


async def ended(service: Service, request: Request, run: Run) -> Run:
    """The record once it has ended, or as it is when nobody waits for it any more."""
    while not run.ended and not service.stopping.is_set() and not await request.is_disconnected():
        await asyncio.sleep(_LOOK)
        run = await find_run(service, run.id)
    return run


def _event(run: Run) -> bytes:
    name = "end" if run.ended else "progress"
    return f"event: {name}\ndata: {run.model_dump_json()}\n\n".encode()
