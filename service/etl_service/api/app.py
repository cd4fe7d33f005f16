"""The application: routes at the root and under ``/api``, and what every request goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from etl_service import __version__
from etl_service.api import docs, health, metrics, preview, runs, stats, tables
from etl_service.api.counting import Counting
from etl_service.api.guard import Guard, SecurityHeaders
from etl_service.api.launch import Launcher
from etl_service.api.page import page_routes
from etl_service.api.problems import Unexpected, handle_problems
from etl_service.api.run_metrics import RunMetrics
from etl_service.api.service import Service
from etl_service.api.watch import watch
from etl_service.load.store import Store
from etl_service.runs import World
from etl_service.settings import Settings
from etl_service.spec import EtlPipeline

_THREADS = 4


def create_app(pipeline: EtlPipeline, document: Path, store: Store, settings: Settings, world: World) -> FastAPI:
    """The service of one pipeline: ``document`` is the file that its runs read it from."""
    service = Service(
        pipeline=pipeline,
        document=document,
        store=store,
        settings=settings,
        world=world,
        launcher=Launcher(document.absolute().parent, settings),
        counting=Counting(store, pipeline.full_name, pipeline.spec.load.table),
        registry=metrics.make_registry(),
        threads=ThreadPoolExecutor(_THREADS, thread_name_prefix="reader"),
    )
    app = FastAPI(
        title=f"EtlPipeline: {pipeline.metadata.name}",
        version=__version__,
        summary="Rows that a pipeline loads, its runs, and what it would do next.",
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # costs each request; /metrics tells the same
        generate_unique_id_function=lambda route: route.name,
        middleware=[
            Middleware(Prefix),
            Middleware(SecurityHeaders),
            Middleware(metrics.Measured, metrics=metrics.HttpMetrics(service.registry)),
            Middleware(Unexpected),
            Middleware(Guard, settings=settings),
        ],
    )
    app.state.service = service
    service.registry.register(RunMetrics(service))
    handle_problems(app)
    # In the order in which they are looked through: what is asked most comes first.
    app.router.routes += tables.table_routes(pipeline)
    for module in (health, runs, stats, preview, metrics, docs):
        app.include_router(module.router)
    app.include_router(page_routes())
    return app


class Prefix:
    """Everything is there at the root, and again under ``/api``; HEAD is GET, whose body the server leaves out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = dict(scope)
            if scope["path"].startswith("/api/"):
                scope["root_path"] = "/api"
            if scope["method"] == "HEAD":
                scope["method"] = "GET"
        await self._app(scope, receive, send)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    watcher = asyncio.create_task(watch(service))
    try:
        yield
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        await service.stop()
        service.threads.shutdown(cancel_futures=True)
