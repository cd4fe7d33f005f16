"""What goes wrong on a cluster, and that nothing is lost by it. The long ones are `make e2e-faults`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.kube import BARE, OPERATOR, SOURCE, SYSTEM, Kube, Pipeline, eventually, without_an_operator
from images.engine import ROOT, docker

#: Ten pages, one a second.
SLOW = {
    "url": f"{SOURCE}/posts",
    "limits": {"requestsPerSecond": 1},
    "pagination": {"page": {"param": "_page", "size": 10, "sizeParam": "_limit"}},
}


@contextmanager
def killing_the_operator(cluster: Kube) -> Iterator[None]:
    """Each of its pods, within two seconds of being ready."""
    system, over = cluster.within(SYSTEM), threading.Event()

    def kill() -> None:
        while not over.is_set():
            system.tried("wait", "--for=condition=Ready", "pod", "--selector", OPERATOR, "--timeout=30s")
            over.wait(random.uniform(0, 2))
            system.tried("delete", "pod", "--selector", OPERATOR, "--grace-period=0", "--force")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def requests_while_the_operator_is_killed(pipeline: Pipeline, cluster: Kube, count: int) -> None:
    ids = [f"id-{number:02}" for number in range(count)]
    with killing_the_operator(cluster):
        for id in ids:
            pipeline.request(id)
            eventually(lambda id=id: pipeline.status.get("lastRunAnnotation") == id, 150)  # type: ignore[misc]
    for id in ids[-10:]:
        assert pipeline.ended(id, 150)["result"] == "Succeeded"
    pipeline.ready()
    assert pipeline.requested() == Counter(ids)


def test_an_operator_that_is_killed_again_and_again_makes_one_job_for_each_id(pipeline, cluster: Kube):
    posts = pipeline(history={"successful": 100}, **BARE)

    requests_while_the_operator_is_killed(posts, cluster, 3)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_twenty_runs_while_no_operator_lives_for_two_seconds(pipeline, cluster: Kube):
    posts = pipeline(history={"successful": 100}, **BARE)

    requests_while_the_operator_is_killed(posts, cluster, 20)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_an_operator_that_dies_at_any_of_its_writes_leaves_nothing_undone_or_twice(pipeline, kube: Kube, cluster: Kube):
    made: list[Pipeline] = []
    with without_an_operator(cluster):
        for write in range(1, 40):
            made.append(pipeline(f"p{write}", run={"requestId": "one"}, **BARE))
            if not dies_at(write, kube):
                break
            dies_at(0, kube)
        else:
            raise AssertionError("it has not come to rest before its 40th write")
    for posts in made:
        posts.ready()
        assert posts.ended("one")["result"] == "Succeeded"
        assert posts.requested() == Counter(["one"])

    assert len(made) > 10
    kinds = "deployments,services,networkpolicies,pvc,jobs,configmaps,serviceaccounts"
    names = {item["metadata"]["name"] for item in kube.list(kinds)} - {"kube-root-ca.crt", "default"}
    assert {name.split("-")[0] for name in names} == {posts.name for posts in made}


def dies_at(call: int, kube: Kube) -> bool:
    """Start an operator that its nth write kills; False where it comes to rest before that, which with 0 it does."""
    environ = {**os.environ, "KUBECONFIG": kube.kubeconfig, "ETL_SERVICE_IMAGE": SERVICE}
    environ |= {"PYTHONPATH": f"{ROOT}/operator:{ROOT}/service:{ROOT}/tests", "ETL_FRONTEND_IMAGE": FRONTEND}
    environ |= {"ETL_NAMESPACES": kube.namespace, "ETL_ALLOWED_SOURCES": "sample-api.default"}
    died = subprocess.run(
        [sys.executable, "-m", "e2e.mortal", str(call)], env=environ, capture_output=True, text=True, check=False
    )
    assert died.returncode in (0, 137), died.stderr
    return died.returncode == 137


SERVICE, FRONTEND = "etlpipeline/service:dev", "etlpipeline/frontend:dev"


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_an_api_server_that_is_away_for_a_minute_is_caught_up_with(pipeline, kube: Kube, cluster: Kube):
    posts = pipeline(run={"requestId": "one"})
    posts.ended("one")
    posts.ready()
    node = f"{cluster.cluster}-control-plane"
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"

    docker("exec", node, "mv", manifest, "/tmp/apiserver.yaml")
    try:
        eventually(lambda: kube.tried("get", "--raw", "/readyz").returncode, 60)
        docker("exec", node, "sleep", "60")
    finally:
        docker("exec", node, "mv", "/tmp/apiserver.yaml", manifest)
    eventually(lambda: kube.tried("get", "--raw", "/readyz").returncode == 0, 120)
    posts.change(run={"requestId": "two"})

    assert posts.ended("two", 180)["unchanged"] == 100


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_what_changes_while_the_operator_is_away_is_done_when_it_is_back(pipeline, kube: Kube, cluster: Kube):
    posts, going = pipeline(), pipeline("going", **BARE)
    posts.ready()
    going.ready()
    with without_an_operator(cluster):
        posts.change(run={"requestId": "one"}, frontend={"enabled": False}, schedule={"cron": "@daily"})
        kube("delete", "service/posts-service")
        kube("delete", "etlpipeline", "going")
        pipeline("coming", **BARE)
    posts.ready()

    assert posts.ended("one")["result"] == "Succeeded"
    assert kube.get("service", "posts-service") and kube.get("cronjob", "posts-schedule")
    eventually(lambda: kube.get("deployment", "posts-frontend") is None)
    Pipeline(kube, "coming").ready()
    eventually(lambda: kube.get("deployment", "going-service") is None)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_pods_that_are_killed_come_back_and_no_row_is_lost(pipeline, kube: Kube):
    posts = pipeline(run={"requestId": "one"})
    posts.ended("one")
    kube("delete", "pod", "--selector", "app.kubernetes.io/component=service", "--grace-period=0", "--force")
    posts.ready()
    posts.change(extract=SLOW, run={"requestId": "two"})
    running = "etlpipeline.dev/trigger=request,app.kubernetes.io/component=run"
    eventually(lambda: kube.list("pods", "--selector", running, "--field-selector=status.phase=Running"))
    kube("delete", "pod", "--selector", running, "--field-selector=status.phase=Running", "--grace-period=0", "--force")
    run = posts.ended("two", 180)

    assert (run["result"], run["unchanged"]) == ("Succeeded", 100)
    with posts.api() as page:
        assert page.get("/api/stats").json()["rows"] == 100
        records = page.get("/api/etl/runs").json()
        assert [record["status"] for record in records] == ["succeeded", "succeeded"]
        assert records[0]["attempt"] == 2


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_run_that_no_node_takes_is_ended_with_the_reason(pipeline):
    posts = pipeline(pod={"nodeSelector": {"disk": "none-such"}}, run={"requestId": "one", "deadline": "1s"}, **BARE)

    run = posts.ended("one", 150)

    assert (run["result"], run["reason"]) == ("Interrupted", "Unschedulable")
    assert "it did not begin within its deadline" in run["message"]
