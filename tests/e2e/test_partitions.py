"""A run that is divided among workers on several nodes, of which one dies; by `make e2e-faults`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.source import FIRST_ID
from e2e.conftest import cluster_of, document, load_postgres
from e2e.database import queried, with_postgres
from e2e.kube import Kube, Pipeline, eventually
from e2e.test_nodes import is_ready
from images.engine import ROOT, docker
from manifests.rendering import CONFIG, beside

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

RECORDS, PAGE, PARTITIONS = 9600, 10, 12
RUN = "app.kubernetes.io/component=run"
#: What a pod of an Indexed Job says of itself.
INDEX = "batch.kubernetes.io/job-completion-index"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    with cluster_of(3, tmp_path_factory) as cluster:
        load_postgres(cluster)
        yield cluster


@pytest.fixture
def home(cluster: Kube) -> str:
    """The node of the database and of the source."""
    return str(cluster.list("nodes", "--selector", "!node-role.kubernetes.io/control-plane")[0]["metadata"]["name"])


@pytest.fixture
def posts(kube: Kube, home: str, tmp_path: Path) -> Pipeline:
    """960 pages, a tenth of a second each, in twelve partitions: ten seconds for each of two waves."""
    mine = tmp_path / "mine"
    pinned = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": home}}}}}
    database = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "postgres"}, **pinned}
    with_postgres(
        kube,
        mine,
        components=[beside(mine, CONFIG / "components/postgres")],
        patches=[{"patch": json.dumps(database)}],
    )
    kube.apply(*late_source(home))
    kube("rollout", "status", "deployment/sample-api", "--timeout=60s")
    kube.apply(
        document(
            extract={
                "url": "http://sample-api:3000/posts",
                "pagination": {
                    "page": {"param": "_page", "size": PAGE, "sizeParam": "_limit", "totalHeader": "X-Total-Count"}
                },
                "limits": {"concurrency": 1},
                "partitions": {"count": PARTITIONS, "parallelism": 6},
            },
            transform={
                "columns": [{"name": "id", "type": "integer", "required": True}, {"name": "title", "type": "text"}]
            },
            load={
                "table": "posts",
                "key": ["id"],
                "postgres": {"dsn": {"secretKeyRef": {"name": "postgres", "key": "dsn"}}},
            },
            service={"replicas": 3},
            frontend={"enabled": False},
        )
    )
    return Pipeline(kube, "posts")


def late_source(node: str) -> Iterator[dict[str, Any]]:
    """That of the benchmarks, under the name that the operator admits."""
    labels = {"app": "sample-api"}
    options = [f"--rows={RECORDS}", "--latency=0.1", "--port=3000", "--host=0.0.0.0"]
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "program", "configMap": {"name": "sample-api"}}],
        "containers": [
            {
                "name": "api",
                "image": "etlpipeline/service:dev",
                "command": ["python", "/program/source.py", *options],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "program", "mountPath": "/program"}],
                "readinessProbe": {"tcpSocket": {"port": 3000}, "periodSeconds": 1},
            }
        ],
    }
    named = {"metadata": {"name": "sample-api"}}
    program = (ROOT / "bench/source.py").read_text()
    yield {"apiVersion": "v1", "kind": "ConfigMap", **named, "data": {"source.py": program}}
    yield {"apiVersion": "v1", "kind": "Service", **named, "spec": {"selector": labels, "ports": [{"port": 3000}]}}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        **named,
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def test_a_node_that_dies_with_its_workers_costs_no_record_and_none_comes_twice(
    posts: Pipeline, kube: Kube, cluster: Kube, home: str
):
    posts.ready()
    posts.request("one")
    workers = eventually(lambda: on_every_node(kube), 60)
    victim = next(node for node in workers if node != home)
    service = serving(kube, but_on=victim)
    eventually(lambda: runs(kube, service), 60)
    eventually(lambda: any(record(kube, service)["partitions"][index]["fetched"] for index in workers[victim]), 60)

    docker("kill", victim)
    begun = record(kube, service)["partitions"]
    lost = {index for index in workers_on(victim, kube) if begun[index]["status"] == "running"}
    assert lost
    eventually(lambda: not is_ready(cluster, victim), 120)
    cluster("taint", "node", victim, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
    ended = posts.ended("one", 300)

    assert ended["result"] == "Succeeded", ended
    assert ended["partitions"] == {"count": PARTITIONS, "completed": f"0-{PARTITIONS - 1}"}
    run = record(kube, service)
    assert (run["id"], run["status"]) == (ended["id"], "succeeded")
    assert run["counts"]["fetched"] == run["counts"]["inserted"] == RECORDS
    assert sum(part["fetched"] for part in run["partitions"]) == RECORDS
    assert {part["index"]: part["attempt"] for part in run["partitions"]} == {
        index: 2 if index in lost else 1 for index in range(PARTITIONS)
    }
    loaded = queried(kube, "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM posts")
    assert [int(one) for one in loaded] == [RECORDS, RECORDS, FIRST_ID, FIRST_ID + RECORDS - 1]


def on_every_node(kube: Kube) -> dict[str, list[int]]:
    """The partitions that have a pod, by node; nothing before all three nodes have one."""
    nodes = {pod["spec"].get("nodeName") for pod in kube.list("pods", "--selector", RUN)} - {None}
    return {node: workers_on(node, kube) for node in nodes} if len(nodes) == 3 else {}


def workers_on(node: str, kube: Kube) -> list[int]:
    pods = kube.list("pods", "--selector", RUN, f"--field-selector=spec.nodeName={node}")
    return [int(pod["metadata"]["annotations"][INDEX]) for pod in pods]


def serving(kube: Kube, but_on: str) -> str:
    """A pod of the service that outlives a node."""
    pods = kube.list("pods", "--selector", "app.kubernetes.io/component=service")
    return str(next(pod["metadata"]["name"] for pod in pods if pod["spec"]["nodeName"] != but_on))


def record(kube: Kube, service: str) -> Any:
    """Of the newest run."""
    return runs(kube, service)[0]


def runs(kube: Kube, service: str) -> Any:
    """As REST has them."""
    with kube.forwarded(f"pod/{service}", 8000) as client:
        return client.get("/etl/runs").raise_for_status().json()
