"""Metrics are what the reference, the alerts and the dashboard say they are, and as Prometheus wants them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

import etl_operator.metrics  # noqa: F401 — which registers them
from etl_operator.cache import Cache
from etl_operator.pipeline_metrics import PipelineMetrics
from monitoring.shipped import alerts, named, program, queries
from operator_tests.cluster_state import State, resource
from operator_tests.test_status import REPORT, run_once
from tools.generate import application
from tools.metrics_reference import of_operator, of_service

PROMTOOL = program("promtool")
#: What a histogram is asked by.
PARTS = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def known() -> set[str]:
    """By the names that queries have for them."""
    with application() as app:
        described = [*of_operator(), *of_service(app.state.service)]
        service = generate_latest(app.state.service.registry).decode()
    exposed = {line.split()[2] for line in service.splitlines() if line.startswith("# TYPE process_")}
    histograms = {f"{each.name}{part}" for each in described if each.type == "histogram" for part in PARTS}
    return {each.name for each in described if each.type != "histogram"} | histograms | exposed


@pytest.mark.parametrize("alert", alerts().values(), ids=lambda alert: alert["alert"])
def test_an_alert_is_about_metrics_that_there_are(alert, known):
    texts = (alert["expr"], *alert["annotations"].values())
    asked = {name for text in texts for name in named(text)}

    assert asked <= known and (asked or 'up{job="etl-service"}' in alert["expr"])


@pytest.mark.parametrize(("title", "expression"), list(queries()))
def test_a_panel_is_about_metrics_that_there_are(title, expression, known):
    assert named(expression) and named(expression) <= known


def test_what_is_not_a_metric_would_be_noticed(known):
    assert named('sum(rate(etl_run_total{job="etl_x"}[5m]))') - known == {"etl_run_total"}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here; tools/prometheus downloads it")
class TestPromtool:
    def test_it_finds_nothing_to_say_of_the_services_metrics(self) -> None:
        with application() as app:
            check(generate_latest(app.state.service.registry))

    def test_it_finds_nothing_to_say_of_the_operators_metrics(self) -> None:
        posts, cache, registry = State(resource()), Cache(), CollectorRegistry()
        posts.body["metadata"] |= {"resourceVersion": "1", "creationTimestamp": "2026-03-01T12:00:00Z"}
        run_once(posts, report=json.dumps(REPORT))
        cache.put(posts.body)
        registry.register(PipelineMetrics(cache, lambda key: 0))

        check(generate_latest(REGISTRY) + generate_latest(registry))

    def test_it_understands_all_queries_of_the_dashboard(self, tmp_path: Path) -> None:
        rules = [
            {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
            for number, (_, expression) in enumerate(queries())
        ]
        path = tmp_path / "rules.yaml"
        path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

        checked = subprocess.run([str(PROMTOOL), "check", "rules", path], capture_output=True, text=True, check=False)

        assert checked.returncode == 0, checked.stderr


def check(metrics: bytes) -> None:
    checked = subprocess.run([str(PROMTOOL), "check", "metrics"], input=metrics, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
