"""Nodes that are drained and nodes that die, on a cluster of three; all of it by `make e2e-faults`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.conftest import cluster_of
from e2e.kube import Kube, Pipeline, eventually
from e2e.test_faults import SLOW
from images.engine import docker

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    with cluster_of(2, tmp_path_factory) as cluster:
        yield cluster


@contextmanager
def drained(cluster: Kube, node: str) -> Iterator[None]:
    cluster("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=150s")
    try:
        yield
    finally:
        cluster("uncordon", node)


@contextmanager
def killed(cluster: Kube, node: str) -> Iterator[None]:
    docker("kill", node)
    try:
        eventually(lambda: not is_ready(cluster, node), 120)
        yield
    finally:
        docker("start", node)
        eventually(lambda: is_ready(cluster, node), 180)


def is_ready(cluster: Kube, node: str) -> bool:
    conditions = cluster.get("node", node)["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@pytest.mark.parametrize("away", [drained, killed])
def test_a_pipeline_whose_node_goes_away_during_a_run_recovers_with_it(
    away: Any, pipeline: Callable[..., Pipeline], kube: Kube, cluster: Kube
):
    posts = pipeline(run={"requestId": "one"})
    posts.ended("one")
    posts.ready()
    posts.change(extract=SLOW, run={"requestId": "two"})
    running = "app.kubernetes.io/component=run"
    (pod,) = eventually(lambda: kube.list("pods", "--selector", running, "--field-selector=status.phase=Running"))
    node = pod["spec"]["nodeName"]
    (serving,) = kube.list("pods", "--selector", "app.kubernetes.io/component=service")
    assert serving["spec"]["nodeName"] == node

    with away(cluster, node):
        eventually(lambda: posts.condition("Ready")["status"] == "False", 120)
    run = posts.ended("two", 300)
    posts.ready()

    assert (run["result"], run["unchanged"]) == ("Succeeded", 100)
    assert posts.condition("Stalled") is None
    with posts.api() as page:
        assert page.get("/api/stats").json()["rows"] == 100
        records = page.get("/api/etl/runs").json()
        assert all(record["status"] in ("succeeded", "interrupted") for record in records)
        assert [record["request_id"] for record in records if record["status"] == "succeeded"] == ["two", "one"]
