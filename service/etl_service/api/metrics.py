"""Metrics for Prometheus: those of the service's own requests, and all of them over HTTP."""

from __future__ import annotations

import logging
import time
from functools import cache

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etl_service import __version__
from etl_service.api.documented import problems
from etl_service.api.service import Serving

disable_created_metrics()  # they would be as many again, and nobody asks for them

router = APIRouter(tags=["health"])

_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_access = logging.getLogger("etl_service.access")


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()},
)
async def metrics(service: Serving) -> Response:
    return Response(await service.aside(generate_latest, service.registry), media_type=CONTENT_TYPE_LATEST)


class HttpMetrics:
    """What requests were made, and how long their answers took until their last byte."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        buckets = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
        requests = Counter("etl_http_requests", "Requests by route.", labels, registry=registry)
        seconds = Histogram(
            "etl_http_request_duration_seconds",
            "Time until the last byte.",
            labels[:2],
            registry=registry,
            buckets=buckets,
        )
        # A label's series is looked up once, not for each request.
        self._requests = cache(requests.labels)
        self._seconds = cache(seconds.labels)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests(method, route, str(status)).inc()
        self._seconds(method, route).observe(seconds)


class Measured:
    """Counts each request under its route's template, and logs it: what is read well only for who looks closely."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            # Whatever is unknown is one: who scans for holes must not fill the memory with labels.
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.observe(method, route, status, seconds)
            _log_access(scope, status, seconds)


def _log_access(scope: Scope, status: int, seconds: float) -> None:
    level = logging.DEBUG if scope["method"] == "GET" and status < 400 else logging.INFO
    if _access.isEnabledFor(level):
        client = scope["client"][0] if scope.get("client") else None
        fields = {"method": scope["method"], "path": scope["path"], "status": status, "client": client}
        _access.log(level, "%s %s", scope["method"], scope["path"], extra=fields | {"seconds": round(seconds, 4)})


def make_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge("etl_build_info", "1, with the version in its label.", ["version"], registry=registry)
    build.labels(__version__).set(1)
    return registry
