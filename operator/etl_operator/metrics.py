"""What the operator counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from etl_service import __version__

disable_created_metrics()  # they would be as many again, and nobody asks for them

RECONCILES = Counter("etl_operator_reconciles", "Looks at a pipeline, by what came of them.", ["outcome"])
SECONDS = Histogram("etl_operator_reconcile_seconds", "How long a look at a pipeline took.")
QUEUE = Gauge("etl_operator_queue_length", "Pipelines that wait to be looked at.")
API_WRITES = Counter("etl_operator_api_writes", "Requests to the API server that may change something.", ["method"])
API_REQUESTS = Counter(
    "etl_operator_api_requests",
    "Requests to the API server but for watches, by the HTTP status of the answer; 0 where none came.",
    ["method", "status"],
)
RUNS = Counter("etl_operator_runs", "Runs that have ended, by result.", ["result"])
PIPELINES = Gauge("etl_operator_pipelines", "Pipelines that are kept.")
LEADER = Gauge("etl_operator_leader", "1 in the replica that is at work, 0 in those that wait for it to end.")
WATCHING = Gauge(
    "etl_operator_watching", "1 while a watch is on everything that is to be watched, and the last list came about."
)
BUILD = Gauge("etl_operator_build_info", "1, with the version in its label.", ["version"])
BUILD.labels(__version__).set(1)
# 0 from the beginning, so that the first one is an increase.
for _outcome in ("done", "failed"):
    RECONCILES.labels(_outcome)
for _result in ("Succeeded", "Failed", "Interrupted", "Cancelled", "Skipped"):
    RUNS.labels(_result)
