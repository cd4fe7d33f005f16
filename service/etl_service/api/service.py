"""What the routes share: the pipeline they serve, its store, and the ways to reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar, cast

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from etl_service.api.counting import Counting
from etl_service.api.launch import Launcher
from etl_service.load.store import Store
from etl_service.runs import World
from etl_service.settings import Settings
from etl_service.spec import EtlPipeline, load_pipeline, next_times

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(slots=True)
class Service:
    pipeline: EtlPipeline
    document: Path  #: the file that it is from
    store: Store
    settings: Settings
    world: World
    launcher: Launcher
    counting: Counting
    registry: CollectorRegistry  #: of metrics
    threads: ThreadPoolExecutor  #: for what would keep other requests waiting
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  #: one run is begun after another
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  #: set when open answers are to come to their end

    async def aside(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call it on a thread, so that it keeps nobody waiting."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: function(*args, **kwargs))

    def follow(self) -> None:
        """Take up whether the document suspends the pipeline; what else has changed in it wants a new start.

        Raises:
            SpecInvalid: it is not a pipeline any more.
        """
        changed, spec = load_pipeline(self.document), self.pipeline.spec
        if changed.hash == self.pipeline.hash and changed.spec.suspend != spec.suspend:
            followed = spec.model_copy(update={"suspend": changed.spec.suspend})
            self.pipeline = self.pipeline.model_copy(update={"spec": followed})

    async def stop(self) -> None:
        """End the runs that were begun here, then the answers that are still open."""
        await self.launcher.stop()
        self.stopping.set()

    def next_run_at(self) -> datetime | None:
        """When the schedule begins a run next."""
        schedule = self.pipeline.spec.schedule
        if schedule is None or self.pipeline.spec.suspend:
            return None
        return next(next_times(schedule, self.world.clock()), None)


async def service_of(request: Request) -> Service:
    return cast(Service, request.app.state.service)


Serving = Annotated[Service, Depends(service_of)]
