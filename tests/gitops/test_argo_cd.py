"""A real Argo CD follows a real repository, from the first push to the last trace; `make e2e-gitops` runs it.

The tests are in order: each goes on where the one before has ended.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from e2e.kube import SYSTEM, Kube, Pipeline, eventually
from gitops.argo import ArgoCD, argo_cd, watched

pytestmark = [pytest.mark.gitops, pytest.mark.timeout(400)]

#: How long nothing may happen but runs, in seconds.
QUIET = 600
PIPELINES = "etl-dev-pipelines"
#: A pipeline beside the sample, and other than it: its volume is to outlive it.
KEPT = {
    "extract": {"url": "sample:"},
    "load": {"table": "kept", "key": ["id"]},
    "frontend": {"enabled": False},
    "storage": {"retain": True},
}


@pytest.fixture(scope="module")
def argo(images, tmp_path_factory) -> Iterator[ArgoCD]:
    if missing := [command for command in ("kind", "kubectl", "git") if shutil.which(command) is None]:
        pytest.skip(f"{', '.join(missing)} not installed")
    with argo_cd(tmp_path_factory.mktemp("gitops")) as argo:
        yield argo


@pytest.fixture
def dev(argo: ArgoCD) -> Kube:
    return argo.kube.within("etl-dev")


@pytest.fixture
def posts(dev: Kube) -> Pipeline:
    return Pipeline(dev, "posts")


def typed(argo: ArgoCD, command: str) -> None:
    """A command of the documentation, where its reader types it."""
    environ = {**os.environ, "KUBECONFIG": argo.kube.kubeconfig}
    folder = argo.repository.folder
    done = subprocess.run(command.split(), cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_push_brings_dev_and_the_operator_comes_first(argo: ArgoCD, dev: Kube):
    commit = argo.repository.push("All of it")

    typed(argo, "kubectl apply --server-side --field-manager etlpipeline -k gitops/argocd/health")
    typed(argo, "kubectl rollout restart statefulset/argocd-application-controller --namespace argocd")
    typed(argo, "kubectl apply --server-side -k gitops/argocd/dev")

    for name in ("etl-dev", "etl-dev-operator", "etl-dev-namespace", PIPELINES):
        argo.arrived(name, commit)
    operator = argo.kube.within(SYSTEM).get("deployment", "etl-operator")
    available = next(one for one in operator["status"]["conditions"] if one["type"] == "Available")
    assert available["lastTransitionTime"] <= argo.application(PIPELINES)["metadata"]["creationTimestamp"]
    argo.shows(PIPELINES, "Deployment/posts-service", "PersistentVolumeClaim/posts-data", "all is as the spec says")


def test_a_change_of_the_spec_arrives_and_so_does_its_undoing(argo: ArgoCD, dev: Kube, posts: Pipeline):
    commit = argo.repository.pipelines("dev", {"schedule": {"cron": "0 3 * * *"}})
    argo.arrived(PIPELINES, commit)
    assert dev.get("cronjob", "posts-schedule")["spec"]["schedule"] == "0 3 * * *"

    commit = argo.repository.pipelines("dev", {})
    argo.arrived(PIPELINES, commit)

    assert "schedule" not in posts.body["spec"]
    eventually(lambda: dev.get("cronjob", "posts-schedule") is None)


def test_an_id_in_git_is_one_run(argo: ArgoCD, posts: Pipeline):
    argo.repository.pipelines("dev", {"run": {"requestId": "first"}})
    assert posts.ended("first", 120)["result"] == "Succeeded"

    commit = argo.repository.pipelines("dev", {"run": {"requestId": "first"}, "history": {"failed": 1}})
    argo.arrived(PIPELINES, commit)
    argo.repository.pipelines("dev", {"run": {"requestId": "second"}})

    assert posts.ended("second", 120)["result"] == "Succeeded"
    assert posts.requested() == {"first": 1, "second": 1}
    argo.shows(PIPELINES, "Job/posts-run-")


def test_what_is_changed_by_hand_is_put_back(argo: ArgoCD, dev: Kube, posts: Pipeline):
    def image() -> str:
        deployment = dev.get("deployment", "posts-service")
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    was = image()
    posts.change(load={"table": "mine"})
    dev("set", "image", "deployment/posts-service", "service=nowhere.example/other:1")

    eventually(lambda: posts.body["spec"]["load"]["table"] == "posts")
    eventually(lambda: image() == was)
    posts.ready()
    argo.arrived(PIPELINES)


def test_what_git_does_not_mention_stays_as_somebody_has_set_it(argo: ArgoCD, posts: Pipeline):
    posts.change(suspend=True)

    commit = argo.repository.pipelines("dev", {"history": {"failed": 2}})
    argo.arrived(PIPELINES, commit)

    assert posts.body["spec"]["suspend"] is True
    argo.shows(PIPELINES, "set suspend: false to resume")
    posts.change(suspend=None)


def test_a_document_that_the_operator_refuses_is_degraded_with_the_reason_and_recovers(argo: ArgoCD, posts: Pipeline):
    commit = argo.repository.pipelines("dev", {"schedule": {"cron": "0 25 * * *"}})

    argo.arrived(PIPELINES, commit, "Degraded")
    argo.arrived("etl-dev", health="Degraded")
    argo.shows(PIPELINES, "InvalidSpec: spec.schedule.cron goes beyond 0 to 23 in the hour; correct it")

    argo.arrived(PIPELINES, argo.repository.pipelines("dev", {"schedule": {"cron": "0 23 * * *"}}))
    argo.arrived("etl-dev")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"load": {"mode": "sideways"}}, 'spec.load.mode: Unsupported value: "sideways"'),
        ({"load": {"mode": "upsert", "key": []}}, "spec.load.key"),
        ({"extract": {"urll": "x"}}, ".spec.extract.urll: field not declared in schema"),
    ],
    ids=["value", "rule", "field"],
)
def test_a_document_that_the_schema_refuses_fails_the_sync_with_the_message(argo: ArgoCD, posts, wrong, message):
    before = posts.body["metadata"]["generation"]

    argo.repository.pipelines("dev", wrong)

    eventually(lambda: message in argo.said(PIPELINES), 120)
    assert posts.body["metadata"]["generation"] == before
    argo.arrived(PIPELINES, argo.repository.pipelines("dev", {}))


def test_a_pipeline_that_leaves_git_goes_and_its_volume_stays(argo: ArgoCD, dev: Kube):
    kept = Pipeline(dev, "kept")
    argo.arrived(PIPELINES, argo.repository.pipelines("dev", {}, kept=KEPT))
    kept.ready()

    argo.arrived(PIPELINES, argo.repository.pipelines("dev", {}))

    assert kept.body is None
    eventually(lambda: dev.get("deployment", "kept-service") is None)
    assert dev.get("pvc", "kept-data")["status"]["phase"] == "Bound"


@pytest.mark.timeout(QUIET + 400)
def test_nothing_moves_while_runs_come_and_go(argo: ArgoCD, dev: Kube, posts: Pipeline):
    argo.arrived(PIPELINES, argo.repository.pipelines("dev", {"schedule": {"cron": "* * * * *"}}))
    eventually(lambda: posts.status["lastRun"]["trigger"] == "schedule", 150)

    states = "{.metadata.name} {.status.sync.status} {.status.health.status} {.status.operationState.startedAt}"
    runs = "{.metadata.generation} {.status.lastRun.id} {.status.lastRun.result}"
    with watched(argo.kube, "applications", states) as seen, watched(dev, "etlpipelines", runs) as ran:
        threading.Event().wait(QUIET)

    print(f"{len(seen)} looks of Argo CD, {len(ran)} changes of the pipeline")
    assert {line.split()[1:3] == ["Synced", "Healthy"] for line in seen} == {True}, Counter(seen)
    assert len(set(seen)) == 4, "an Application was synced anew"
    assert len({line.split()[0] for line in ran}) == 1, "the spec has changed"
    assert len({line for line in ran if line.endswith("Succeeded")}) >= QUIET // 60 - 1


def test_deletion_takes_the_pipelines_first_and_leaves_what_holds_data(argo: ArgoCD, dev: Kube, posts: Pipeline):
    argo.arrived(PIPELINES, argo.repository.pipelines("dev", {}))
    with watched(argo.kube, "applications", "{.metadata.name} {.metadata.deletionTimestamp}") as seen:
        typed(argo, "kubectl delete -k gitops/argocd/dev --timeout 240s")

    going = [line.split()[0] for line in seen if len(line.split()) == 2]
    assert going.index(PIPELINES) < going.index("etl-dev-operator")
    assert argo.kube("get", "applications", "--output", "name") == ""
    assert dev.list("etlpipelines") == dev.list("deployments") == argo.kube.within(SYSTEM).list("deployments") == []
    assert [claim["metadata"]["name"] for claim in dev.list("pvc")] == ["kept-data"]
    assert argo.kube.get("crd", "etlpipelines.etlpipeline.dev")


def test_prod_comes_where_dev_was_and_a_failed_run_is_no_ill_health(argo: ArgoCD):
    typed(argo, "kubectl delete crd etlpipelines.etlpipeline.dev")
    typed(argo, "kubectl delete namespace etl-dev")
    nowhere = {"url": "https://posts.invalid/posts", "limits": {"retries": 0}}
    failing = {"extract": nowhere, "run": {"requestId": "first", "backoffLimit": 0}}
    commit = argo.repository.pipelines("prod", failing)

    typed(argo, "kubectl apply --server-side -k gitops/argocd/prod")

    for name in ("etl-prod", "etl-prod-operator", "etl-prod-namespace", "etl-prod-pipelines"):
        argo.arrived(name, commit)
    posts = Pipeline(argo.kube.within("etl-prod"), "posts")
    assert posts.ended("first", 120)["result"] == "Failed"
    argo.arrived("etl-prod-pipelines", commit)
    argo.shows("etl-prod-pipelines", "the last run did not succeed: ")
    operator = argo.kube.within(SYSTEM).get("deployment", "etl-operator")
    assert operator["status"]["availableReplicas"] == 2


def test_the_deletion_of_prod_leaves_its_volume(argo: ArgoCD):
    prod = argo.kube.within("etl-prod")

    typed(argo, "kubectl delete -k gitops/argocd/prod --timeout 240s")

    assert prod.list("etlpipelines") == prod.list("deployments") == []
    assert [claim["metadata"]["name"] for claim in prod.list("pvc")] == ["posts-data"]
