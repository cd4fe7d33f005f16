"""Metrics for Prometheus: of runs, read from the store when they are asked for, and of the service's own requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from functools import cache

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etl_service.api.documented import problems
from etl_service.api.service import Service, Serving

router = APIRouter(tags=["health"])

_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_access = logging.getLogger("etl_service.access")

#: The store's totals: their name there, here, their label, and what they are.
_TOTALS = (
    ("runs", "etl_runs", "status", "Runs that ended"),
    ("records", "etl_records", "outcome", "Records by what became of them; fetched is their sum, without deleted"),
    ("seconds", "etl_phase_seconds", "phase", "Time spent by phase; phases overlap"),
    ("requests", "etl_source_requests", "status", "Requests to the source, by HTTP status"),
    ("pages", "etl_source_pages", None, "Pages read from the source"),
    ("bytes", "etl_source_bytes", None, "Bytes of bodies read from the source, decompressed"),
    ("retries", "etl_source_retries", None, "Requests to the source that were made again"),
)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()},
)
async def metrics(service: Serving) -> Response:
    return Response(await service.aside(generate_latest, service.registry), media_type=CONTENT_TYPE_LATEST)


class RunMetrics(Collector):
    """Runs happen in other processes: their sums are in the store."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        service, pipeline = self._service, self._service.pipeline.full_name
        totals = service.store.totals(pipeline)
        for name, metric, label, meaning in _TOTALS:
            labels = ["pipeline", label] if label else ["pipeline"]
            family = CounterMetricFamily(metric, f"{meaning}.", labels=labels)
            for (total, value), amount in totals.items():
                if total == name:
                    family.add_metric([pipeline, value] if label else [pipeline], amount)
            yield family
        succeeded = service.store.last(pipeline, "succeeded")
        if succeeded and succeeded.ended_at:
            ended = datetime.fromisoformat(succeeded.ended_at).timestamp()
            yield self._gauge("etl_last_success_timestamp_seconds", "When a run last succeeded.", ended)
        if counted := service.counting(succeeded):
            yield self._gauge("etl_table_rows", "Rows in the pipeline's table.", counted.stats.rows)
            yield self._gauge("etl_database_bytes", "Size of the database.", counted.stats.bytes)
        running = service.store.running(pipeline) is not None
        yield self._gauge("etl_run_in_progress", "1 while a run is under way.", float(running))

    def _gauge(self, name: str, meaning: str, value: float) -> Metric:
        gauge = GaugeMetricFamily(name, meaning, labels=["pipeline"])
        gauge.add_metric([self._service.pipeline.full_name], value)
        return gauge


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
    return registry
