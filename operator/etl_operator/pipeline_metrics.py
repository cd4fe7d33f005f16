"""Metrics of each pipeline, made of what the cache has of it when they are asked for.

So nothing has to be kept in step, and a pipeline that was deleted has no series any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import ValidationError

from etl_operator.cache import Cache
from etl_operator.kinds import Key
from etl_operator.observed import Object
from etl_operator.runs import COUNTS
from etl_service.spec import RunSpec, Schedule, next_times

_PREFIX: Final = "etl_pipeline_"
#: By name: what it is, and its labels beside the pipeline's namespace and name.
_GAUGES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "condition": (
        "Conditions of the status: 1 is True, 0 is False. Reconciling, Stalled and Suspended are there while True.",
        ("condition", "reason"),
    ),
    "reconcile_failures": (
        "Looks of the operator at the pipeline that failed, one after the other; 0 after one that did not.",
        (),
    ),
    "last_success_timestamp_seconds": ("When a run last succeeded.", ()),
    "success_due_timestamp_seconds": (
        "When a newer run should have succeeded: at the first time of the schedule after the last success, or after "
        "it was set or resumed, plus run.deadline. Not there without a schedule, or while suspended.",
        (),
    ),
    "next_schedule_timestamp_seconds": ("When the schedule begins a run next.", ()),
    "run_in_progress": ("1 while a run is under way.", ()),
    "last_run_end_timestamp_seconds": ("When the last run ended, however it did.", ()),
    "last_run_duration_seconds": ("How long the last run took that has ended.", ()),
    "last_run_records": (
        "Records of the last run that has ended, by what became of them; fetched is their sum, without deleted.",
        ("outcome",),
    ),
    "rows": ("Rows in the pipeline's table, as the last run left it.", ()),
}
_REASON = re.compile("[A-Za-z]{1,64}")


class Fact(NamedTuple):
    name: str
    value: float
    labels: tuple[str, ...] = ()


class PipelineMetrics(Collector):
    """Facts are worked out once for each version of a resource: pipelines that rest cost their text alone."""

    def __init__(self, cache: Cache, failures: Callable[[Key], int]) -> None:
        self._cache = cache
        self._failures = failures
        self._known: dict[Key, tuple[int, list[Fact]]] = {}

    def describe(self) -> Iterable[Metric]:
        return _families().values()

    def collect(self) -> Iterable[Metric]:
        families, known = _families(), {}
        for key in self._cache.pipelines():
            known[key] = self._facts(key)
            labels = (key.namespace, key.name)
            for fact in known[key][1]:
                families[fact.name].add_metric(labels + fact.labels, fact.value)
            families["reconcile_failures"].add_metric(labels, self._failures(key))
        self._known = known
        return families.values()

    def _facts(self, key: Key) -> tuple[int, list[Fact]]:
        version, known = self._cache.version(key), self._known.get(key)
        if known and known[0] == version:
            return known
        return version, list(facts(self._cache.pipeline(key) or {}))


def facts(body: Object) -> Iterator[Fact]:
    """What the resource tells of a pipeline."""
    status: Mapping[str, Any] = body.get("status") or {}
    for one in status.get("conditions", ()):
        # What a run gives as its reason is its image's to say: a word is taken as it is, anything else as one.
        reason = one["reason"] if _REASON.fullmatch(one["reason"]) else "Other"
        yield Fact("condition", one["status"] == "True", (one["type"], reason))
    yield from _times(
        last_success_timestamp_seconds=_seconds(status.get("lastSuccessTime")),
        success_due_timestamp_seconds=_due(body),
        next_schedule_timestamp_seconds=_seconds(status.get("nextScheduleTime")),
    )
    runs = status.get("recentRuns", ())
    yield Fact("run_in_progress", any(run["result"] == "Running" for run in runs))
    if ended := next((run for run in runs if run["result"] not in ("Running", "Skipped")), None):
        begun, over = _seconds(ended["startTime"]), _seconds(ended.get("endTime"))
        took = over - begun if begun is not None and over is not None else None
        yield from _times(last_run_end_timestamp_seconds=over, last_run_duration_seconds=took)
        yield from (Fact("last_run_records", ended[name], (name,)) for name in COUNTS if name in ended)
    if "rows" in status:
        yield Fact("rows", status["rows"])


def _due(body: Object) -> float | None:
    """A run that the schedule begins ends within its deadline: by then there should be a newer success."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    if not spec.get("schedule") or spec.get("suspend"):
        return None
    try:
        schedule, run = Schedule.model_validate(spec["schedule"]), RunSpec.model_validate(spec.get("run") or {})
    except ValidationError:
        return None  # which makes the resource Stalled
    since = (status.get("lastSuccessTime"), status.get("scheduledSince"), body["metadata"]["creationTimestamp"])
    try:
        begins = next(next_times(schedule, max(filter(None, map(_moment, since)))), None)
        return (begins + run.deadline).timestamp() if begins else None
    except OverflowError:
        return None  # after the end of all times, which a service may have told


def _times(**values: float | None) -> Iterator[Fact]:
    return (Fact(name, value) for name, value in values.items() if value is not None)


def _seconds(time: str | None) -> float | None:
    moment = _moment(time)
    return moment.timestamp() if moment else None


def _moment(time: str | None) -> datetime | None:
    """A time of the status; None where it is none, which a service may have told."""
    try:
        moment = datetime.fromisoformat(time or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _families() -> dict[str, GaugeMetricFamily]:
    return {
        name: GaugeMetricFamily(f"{_PREFIX}{name}", meaning, labels=("namespace", "pipeline", *labels))
        for name, (meaning, labels) in _GAUGES.items()
    }
