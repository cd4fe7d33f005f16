"""docs/reference/metrics.md: what operator and service tell Prometheus, as their registries have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.registry import Collector

import etl_operator.metrics  # noqa: F401 — which registers them
from etl_operator.cache import Cache
from etl_operator.pipeline_metrics import PipelineMetrics
from etl_service.api.service import Service

_TEXT = """\
# Metrics

What `/metrics` tells Prometheus. [How to have it scraped, and what to be woken for](../monitoring.md).

## Of a pipeline, by the operator

At port 8080 of the operator's pods: what the status of each resource says. A pipeline that was deleted has no series
any more. Of several operators, only the one at work has any.

{pipelines}

## Of the operator

At the same address, beside `process_*` and `python_*`.

{operator}

## Of a pipeline, by its service

At port 8000 of the service's pods, and at `/api/metrics` of the page: what the database says, beside `process_*`.
Counters are sums over all runs that ever ended, wherever they ran; removing old runs from the history does not lower
them.

{service}
"""


class Described(NamedTuple):
    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


def metrics_reference(service: Service) -> str:
    operator = of_operator()
    return _TEXT.format(
        pipelines=_table(each for each in operator if each.name.startswith("etl_pipeline_")),
        operator=_table(each for each in operator if each.name.startswith("etl_operator_")),
        service=_table(of_service(service)),
    )


def of_operator() -> list[Described]:
    return [*_described(_collectors(REGISTRY)), *_described([PipelineMetrics(Cache(), lambda _: 0)])]


def of_service(service: Service) -> list[Described]:
    return list(_described(_collectors(service.registry)))


def _collectors(registry: CollectorRegistry) -> list[Collector]:
    # The client tells of samples alone, and of a metric's labels only once it has one.
    return list(registry._collector_to_names)


def _described(collectors: Iterable[Collector]) -> Iterator[Described]:
    for collector in collectors:
        for family in collector.describe() if hasattr(collector, "describe") else ():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if name.startswith("etl_"):
                labels: Any = getattr(family, "_labelnames", None) or getattr(collector, "_labelnames", ())
                yield Described(name, family.type, labels, family.documentation)


def _table(metrics: Iterable[Described]) -> str:
    rows = [
        f"| `{each.name}` | {each.type} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for each in sorted(metrics)
    ]
    return "\n".join(["| metric | type | labels | |", "|---|---|---|---|", *rows])
