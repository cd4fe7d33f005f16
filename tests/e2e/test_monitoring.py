"""A real Prometheus scrapes a real operator and real services: the dashboard has data, alerts know their pipeline."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.kube import BARE, SYSTEM, Kube, Pipeline, eventually
from monitoring.discovery import Listing
from monitoring.scraping import Prometheus, scraping
from monitoring.shipped import DOCUMENT, ROOT, program, queries
from project.test_documents import blocks


@pytest.fixture
def prometheus(cluster: Kube, tmp_path) -> Iterator[Prometheus]:
    if program("prometheus") is None:
        pytest.skip("prometheus is not here; tools/prometheus downloads it")
    with proxied(cluster) as api, scraping(api, SYSTEM, tmp_path) as prometheus:
        try:
            eventually(prometheus.is_ready, 30)
            prometheus.discover(everywhere(cluster))
            yield prometheus
        finally:
            print((tmp_path / "prometheus.log").read_text()[-2000:])


def everywhere(cluster: Kube) -> Listing:
    return lambda kind: cluster.list(kind, "--all-namespaces")


@contextmanager
def proxied(cluster: Kube) -> Iterator[str]:
    """The API server without a login, for who is on this machine."""
    environ = {**os.environ, "KUBECONFIG": cluster.kubeconfig}
    command = ["kubectl", "proxy", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ) as proxy:
        try:
            assert proxy.stdout is not None
            yield f"http://{proxy.stdout.readline().split()[-1]}"
        finally:
            proxy.terminate()


def test_every_query_of_the_dashboard_has_data(cluster: Kube, kube: Kube, pipeline, prometheus: Prometheus):
    posts: Pipeline = pipeline("posts", schedule={"cron": "0 3 * * *"})
    posts.ready()
    posts.request("one")
    assert posts.ended("one")["result"] == "Succeeded"
    prometheus.discover(everywhere(cluster))

    asked = [(title, filled_in(expression, kube.namespace, "posts")) for title, expression in queries()]
    missing: list[tuple[str, str]] = []

    def all_have_data() -> bool:
        kube("label", "etlpipeline", "posts", f"looked-at={os.urandom(4).hex()}", "--overwrite")
        missing[:] = [(title, expression) for title, expression in asked if not prometheus.ask(expression)]
        return not missing

    try:
        eventually(all_have_data, 120)
    finally:
        print("without data:", missing)
    (labels, rows), *others = prometheus.ask(filled_in("etl_pipeline_rows{$}", kube.namespace, "posts"))
    assert (labels["namespace"], labels["job"], rows, others) == (kube.namespace, "etl-operator", 100, [])
    (labels, rows), *others = prometheus.ask(filled_in("etl_table_rows{$}", kube.namespace, "posts"))
    assert (labels["pod"][:14], labels["job"], rows, others) == ("posts-service-", "etl-service", 100, [])
    assert not [label for label in labels if label.startswith("exported")]


def test_alerts_tell_of_the_pipeline_that_they_are_about_and_of_no_other(kube: Kube, pipeline, prometheus: Prometheus):
    # given a pipeline that goes well, and one whose records all lack what is required
    pipeline("well", **BARE).request("one")
    columns = [{"name": "id", "from": "/number", "type": "integer", "required": True}]
    rejecting: Pipeline = pipeline("rejecting", transform={"columns": columns}, **BARE)
    rejecting.request("one")
    assert rejecting.ended("one")["rejected"] == 100

    # when Prometheus has looked
    def told() -> list[Any]:
        return [alert for alert in prometheus.alerts() if alert["labels"].get("namespace") == kube.namespace]

    alert, *others = eventually(told)

    # then
    assert (alert["labels"]["alertname"], alert["state"], others) == ("EtlPipelineRejecting", "firing", [])
    assert alert["labels"]["pipeline"] == "rejecting"
    assert alert["annotations"]["description"].endswith(f"in namespace {kube.namespace} rejected 100% of its records.")
    assert not [rule["lastError"] for rule in prometheus.rules() if rule.get("lastError")]


def test_a_pipeline_that_is_deleted_takes_its_series_along(kube: Kube, pipeline, prometheus: Prometheus):
    pipeline("short", **BARE)
    series = filled_in("etl_pipeline_reconcile_failures{$}", kube.namespace, "short")
    eventually(lambda: prometheus.ask(series))

    kube("delete", "etlpipeline", "short")

    eventually(lambda: not prometheus.ask(series), 30)


def test_the_commands_of_the_runbooks_work_when_pasted(cluster: Kube):
    commands = "".join(block.commands for block in blocks(DOCUMENT.read_text()) if block.on_a_cluster)
    cluster("create", "namespace", "monitoring")

    session = subprocess.run(
        ["bash", "-euxc", commands],
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": cluster.kubeconfig},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    cluster("delete", "namespace", "monitoring", "--wait=false")
    assert session.returncode == 0, session.stdout
    assert "Traceback" not in session.stdout


def filled_in(expression: str, namespace: str, pipeline: str) -> str:
    """As Grafana does it: variables are regular expressions, and the interval four scrapes at least."""
    both = f'namespace="{namespace}",pipeline="{pipeline}"'
    filled = expression.replace("{$}", f"{{{both}}}").replace("$__rate_interval", "30s")
    filled = filled.replace("$namespace", namespace).replace("$pipeline", pipeline)
    assert "$" not in filled, filled
    return filled
