"""Metrics of runs. They happen in other processes: what they came to is read from the store when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from etl_service.api.service import Service
from etl_service.model import Counts, Seconds, Status


class _Total(NamedTuple):
    """A sum that the store keeps over all runs."""

    metric: str
    meaning: str
    label: str | None = None
    values: Sequence[str] = ("",)  #: known ones of the label: they begin with 0, so that the first is an increase


#: By their name in the store.
_TOTALS: Final = {
    "runs": _Total(
        "etl_runs", "Runs that ended.", "status", [status for status in get_args(Status) if status != "running"]
    ),
    "records": _Total(
        "etl_records",
        "Records by what became of them; fetched is their sum, without deleted.",
        "outcome",
        list(Counts.model_fields),
    ),
    "seconds": _Total("etl_phase_seconds", "Time spent by phase; phases overlap.", "phase", list(Seconds.model_fields)),
    "requests": _Total("etl_source_requests", "Requests to the source, by HTTP status.", "status", ()),
    "pages": _Total("etl_source_pages", "Pages read from the source."),
    "bytes": _Total("etl_source_bytes", "Bytes of bodies read from the source, decompressed."),
    "retries": _Total("etl_source_retries", "Requests to the source that were made again."),
}
_GAUGES: Final = {
    "etl_last_success_timestamp_seconds": "When a run last succeeded.",
    "etl_last_run_end_timestamp_seconds": "When the last run ended, however it did.",
    "etl_last_run_duration_seconds": "How long the last run took that has ended.",
    "etl_run_in_progress": "1 while a run is under way.",
    "etl_table_rows": "Rows in the pipeline's table.",
    "etl_database_bytes": "Size of the database.",
    "etl_volume_size_bytes": "Size of the file system that holds the SQLite database.",
    "etl_volume_free_bytes": "What the engine may still write to the file system that holds the SQLite database.",
}
_PIPELINE: Final = ("namespace", "pipeline")


class RunMetrics(Collector):
    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        yield from _totals().values()
        yield from _gauges().values()

    def collect(self) -> Iterator[Metric]:
        metadata, pipeline = self._service.pipeline.metadata, self._service.pipeline.full_name
        labels = (metadata.namespace, metadata.name)
        totals, gauges = _totals(), _gauges()
        begun = {(name, value): 0.0 for name, total in _TOTALS.items() for value in total.values}
        for (name, value), amount in (begun | dict(self._service.store.totals(pipeline))).items():
            totals[name].add_metric((*labels, value) if _TOTALS[name].label else labels, amount)
        for metric, amount in self._values():
            gauges[metric].add_metric(labels, amount)
        yield from totals.values()
        yield from gauges.values()

    def _values(self) -> Iterator[tuple[str, float]]:
        service, pipeline = self._service, self._service.pipeline.full_name
        succeeded = service.store.last(pipeline, "succeeded")
        if succeeded and succeeded.ended_at:
            yield "etl_last_success_timestamp_seconds", _seconds(succeeded.ended_at)
        ended = next((run for run in service.store.runs(pipeline, limit=2) if run.ended), None)
        if ended and ended.ended_at:
            over = _seconds(ended.ended_at)
            yield "etl_last_run_end_timestamp_seconds", over
            yield "etl_last_run_duration_seconds", over - _seconds(ended.started_at)
        yield "etl_run_in_progress", service.store.running(pipeline) is not None
        if counted := service.counting(succeeded):
            yield "etl_table_rows", counted.stats.rows
            yield "etl_database_bytes", counted.stats.bytes
        if service.pipeline.spec.load.postgres is None:
            yield from _volume(service.settings.database.absolute().parent)


def _volume(folder: Path) -> Iterator[tuple[str, float]]:
    found = os.statvfs(folder)
    yield "etl_volume_size_bytes", found.f_blocks * found.f_frsize
    # As much as others than root may take: what is kept for root is of no use to the engine.
    yield "etl_volume_free_bytes", found.f_bavail * found.f_frsize


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _totals() -> dict[str, CounterMetricFamily]:
    return {
        name: CounterMetricFamily(
            total.metric, total.meaning, labels=(*_PIPELINE, total.label) if total.label else _PIPELINE
        )
        for name, total in _TOTALS.items()
    }


def _gauges() -> dict[str, GaugeMetricFamily]:
    return {name: GaugeMetricFamily(name, meaning, labels=_PIPELINE) for name, meaning in _GAUGES.items()}
