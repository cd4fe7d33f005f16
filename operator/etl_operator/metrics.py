"""What the operator counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("etl_operator_reconciles", "Looks at a pipeline, by what came of them.", ["outcome"])
SECONDS = Histogram("etl_operator_reconcile_seconds", "How long a look at a pipeline took.")
QUEUE = Gauge("etl_operator_queue_length", "Pipelines that wait to be looked at.")
API_WRITES = Counter("etl_operator_api_writes", "Requests to the API server that may change something.", ["method"])
RUNS = Counter("etl_operator_runs", "Runs that have ended, by result.", ["result"])
PIPELINES = Gauge("etl_operator_pipelines", "Pipelines that are kept.")
