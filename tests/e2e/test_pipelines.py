"""A pipeline's life on a cluster, from its first apply to its last trace."""

from __future__ import annotations

import json
from typing import Any

from e2e.kube import BARE, SYSTEM, Kube, Pipeline, eventually, without_an_operator


def test_the_sample_runs_when_asked_and_its_rows_are_in_the_page(cluster: Kube):
    posts = Pipeline(cluster, "posts")
    posts.ready()

    posts.request("e2e-1")
    run = posts.ended("e2e-1")

    assert (run["result"], run["fetched"], run["rejected"]) == ("Succeeded", 100, 0)
    with posts.api() as page:
        assert "<title>" in page.get("/").text
        assert len(page.get("/api/posts", params={"limit": 1000}).json()) == 100
        recorded, *_ = page.get("/api/etl/runs").json()
        assert (recorded["id"], recorded["request_id"]) == (run["id"], "e2e-1")
    row = cluster("get", "etl", "posts").splitlines()[1].split()
    assert row[0] == "posts" and row[1] == "True" and row[3] == "Succeeded" and row[4] == "100"
    described = cluster("describe", "etl", "posts")
    assert "RunSucceeded" in described and "100 fetched: " in described
    assert "finalizers" not in posts.body["metadata"]


def test_an_id_makes_one_job_however_it_is_asked_for(pipeline):
    posts = pipeline(run={"requestId": "one"}, frontend={"enabled": False})
    first = posts.ended("one")
    posts.request("one")
    posts.change(run={"requestId": "two"})
    second = posts.ended("two")

    assert len(posts.jobs()) == 2
    assert (first["inserted"], second["inserted"], second["unchanged"]) == (100, 0, 100)
    assert (posts.status["lastRequestId"], posts.status["lastRunAnnotation"]) == ("two", "one")


def test_the_schedule_makes_runs(pipeline, kube: Kube):
    posts = pipeline(schedule={"cron": "0 3 * * *", "timeZone": "Europe/Paris"}, **BARE)
    posts.ready()

    kube("create", "job", "--from=cronjob/posts-schedule", "posts-now")
    run = posts.ended("posts-now")

    assert (run["trigger"], run["result"]) == ("schedule", "Succeeded")
    assert posts.status["nextScheduleTime"].endswith(":00:00Z")
    posts.change(schedule=None)
    eventually(lambda: kube.get("cronjob", "posts-schedule") is None)
    assert posts.ended("posts-now")["result"] == "Succeeded"


def test_what_is_changed_by_hand_is_put_back_and_what_is_added_stays(pipeline, kube: Kube):
    pipeline().ready()

    kube("annotate", "deployment/posts-service", "somebody.example/note=theirs")
    kube("set", "image", "deployment/posts-service", "service=nowhere.example/other:1")
    kube("delete", "service/posts-frontend", "networkpolicy/posts-run", "--wait")
    kube.patch("service", "posts-service", {"spec": {"selector": {"tier": "other"}}})
    kube("label", "deployment/posts-frontend", "etlpipeline.dev/pipeline-")

    def is_back() -> bool:
        deployment = kube.get("deployment", "posts-service")
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        return image == "etlpipeline/service:dev" and bool(kube.get("service", "posts-frontend"))

    eventually(is_back)
    eventually(lambda: kube.get("networkpolicy", "posts-run"))
    eventually(lambda: "tier" not in kube.get("service", "posts-service")["spec"]["selector"])
    eventually(lambda: "etlpipeline.dev/pipeline" in kube.get("deployment", "posts-frontend")["metadata"]["labels"])
    assert kube.get("deployment", "posts-service")["metadata"]["annotations"]["somebody.example/note"] == "theirs"


def test_a_run_out_of_memory_is_ended_everywhere_with_what_to_do(pipeline):
    posts = pipeline()
    posts.ready()
    posts.change(run={"requestId": "small", "backoffLimit": 0, "resources": {"limits": {"memory": "20Mi"}}})

    run = posts.ended("small")

    assert (run["result"], run["reason"]) == ("Interrupted", "OutOfMemory")
    assert run["message"] == "out of memory at 20Mi; raise run.resources.limits.memory"
    assert posts.condition("RunSucceeded")["status"] == "False"
    assert posts.condition("Ready")["status"] == "True"

    def told() -> list[str]:
        with posts.api() as page:
            return [record["reason"] for record in page.get("/api/etl/runs").json()]

    eventually(lambda: told() == ["OutOfMemory"], seconds=150)


def test_a_run_that_fails_says_why(pipeline):
    posts = pipeline(extract={"url": "http://sample-api.default:3000/nothing-here", "limits": {"retries": 0}}, **BARE)
    posts.change(run={"requestId": "gone", "backoffLimit": 0})

    run = posts.ended("gone")

    assert run["result"] == "Failed"
    assert "404" in run["message"]
    assert posts.condition("Ready")["status"] == "True"


def test_a_suspended_pipeline_begins_no_run_until_it_is_resumed(pipeline, kube: Kube):
    posts = pipeline(suspend=True, schedule={"cron": "* * * * *"}, run={"requestId": "later"}, **BARE)
    posts.ready()

    assert posts.condition("Suspended")["status"] == "True"
    assert kube.get("cronjob", "posts-schedule")["spec"]["suspend"] is True
    assert posts.jobs() == []
    posts.change(suspend=False, schedule={"cron": "0 0 1 1 *"})
    assert posts.ended("later")["result"] == "Succeeded"
    assert posts.condition("Suspended") is None


def test_a_run_from_the_page_is_in_the_status_and_the_page_begins_none_while_suspended(pipeline, kube: Kube):
    posts = pipeline()
    posts.ready()
    (serving,) = kube.list("pods", "--selector", "app.kubernetes.io/component=service")

    def ended() -> Any:
        runs = posts.status.get("recentRuns", ())
        return next((run for run in runs if run["trigger"] == "rest" and run["result"] != "Running"), None)

    with posts.api() as page:
        assert page.post("/api/etl/run").status_code == 202
        run = eventually(ended)
        assert (run["result"], run["fetched"], posts.status["rows"]) == ("Succeeded", 100, 100)
        assert "job" not in run
        posts.change(suspend=True)
        eventually(lambda: page.get("/api/etl/pipeline").json()["spec"].get("suspend"), 150)
        refused = page.post("/api/etl/run")

    (still,) = kube.list("pods", "--selector", "app.kubernetes.io/component=service")
    assert still["metadata"]["uid"] == serving["metadata"]["uid"]
    assert (refused.status_code, refused.json()["reason"]) == (409, "Suspended")


def test_the_service_is_scaled_to_nothing_and_back_and_keeps_its_rows(pipeline, kube: Kube):
    posts = pipeline(run={"requestId": "one"})
    posts.ended("one")

    posts.change(service={"replicas": 0})
    posts.ready()
    eventually(lambda: not kube.list("pods", "--selector", "app.kubernetes.io/component=service"))
    posts.change(run={"requestId": "two"})
    assert posts.ended("two")["unchanged"] == 100
    posts.change(service={"replicas": 1})
    posts.ready()

    with posts.api() as page:
        assert page.get("/api/stats").json()["rows"] == 100


def test_a_changed_document_rolls_the_service_and_a_request_does_not(pipeline, kube: Kube):
    posts = pipeline()
    posts.ready()
    before = kube.get("deployment", "posts-service")["metadata"]["generation"]

    posts.change(run={"requestId": "one"}, history={"successful": 1})
    posts.ended("one")
    assert kube.get("deployment", "posts-service")["metadata"]["generation"] == before
    posts.change(transform={"columns": [{"name": "id", "type": "integer"}, {"name": "title", "type": "text"}]})
    posts.ready()

    assert kube.get("deployment", "posts-service")["metadata"]["generation"] > before
    with posts.api() as page:
        columns = page.get("/api/etl/pipeline").json()["spec"]["transform"]["columns"]
        assert [column["name"] for column in columns] == ["id", "title"]


def test_a_secret_that_comes_later_is_used_by_the_next_run(pipeline, kube: Kube):
    token = {"secretKeyRef": {"name": "source", "key": "token"}}
    posts = pipeline(extract={"url": "http://sample-api.default:3000/posts", "auth": {"bearer": {"token": token}}})
    posts.ready()
    pods = kube.list("pods", "--selector", "app.kubernetes.io/component=service")
    posts.change(run={"requestId": "without", "backoffLimit": 0})
    missing = posts.ended("without")

    kube("create", "secret", "generic", "source", "--from-literal=token=hunter2")
    posts.change(run={"requestId": "with"})
    found = posts.ended("with")

    assert (missing["result"], missing["reason"]) == ("Failed", "SecretMissing")
    assert found["result"] == "Succeeded"
    after = kube.list("pods", "--selector", "app.kubernetes.io/component=service")
    assert [pod["metadata"]["uid"] for pod in after] == [pod["metadata"]["uid"] for pod in pods]
    assert "hunter2" not in json.dumps(posts.body)


def test_a_class_that_cannot_grow_says_so_and_the_size_can_be_taken_back(pipeline):
    posts = pipeline(run={"requestId": "one"}, **BARE)
    posts.ended("one")  # the volume exists once a pod wants it
    posts.ready()

    posts.change(storage={"size": "2Gi"})
    message = posts.stalled("VolumeNotExpandable")
    posts.change(storage={"size": "1Gi"})
    posts.ready()

    assert "allowVolumeExpansion" in message


def test_a_volume_of_somebody_else_is_not_touched(pipeline, kube: Kube):
    kube.apply(_claim("posts-data"))

    posts = pipeline()
    message = posts.stalled("VolumeNotOurs")

    assert "label it etlpipeline.dev/pipeline=posts to adopt it" in message
    assert kube.list("deployments") == []
    kube("label", "pvc/posts-data", "etlpipeline.dev/pipeline=posts")
    posts.ready()


def test_a_retained_volume_is_found_again_by_the_next_pipeline_of_that_name(pipeline, kube: Kube):
    posts = pipeline(run={"requestId": "one"}, **BARE)
    posts.ended("one")
    other = pipeline("fleeting", storage={"retain": False}, run={"requestId": "one"}, **BARE)
    other.ended("one")

    kube("delete", "etlpipeline", "posts", "fleeting", "--wait")
    left = ("deployments", "jobs", "configmaps", "pvc", "services", "serviceaccounts", "cronjobs", "networkpolicies")
    eventually(lambda: _names(kube, *left) == {"posts-data"}, seconds=60)
    again = pipeline(run={"requestId": "two"}, **BARE)

    assert again.ended("two")["unchanged"] == 100


def test_an_unusable_spec_is_told_as_etl_check_tells_it_and_recovers(pipeline):
    posts = pipeline(schedule={"cron": "0 0 30 2 *"}, **BARE)
    good = pipeline("other", **BARE)

    message = posts.stalled("InvalidSpec")
    good.ready()
    posts.change(schedule={"cron": "0 0 28 2 *"})
    posts.ready()

    assert "spec.schedule.cron never comes" in message
    assert posts.condition("Stalled") is None
    reasons = [reason for reason, _ in posts.events()]
    assert reasons.count("InvalidSpec") == 1 and "Recovered" in reasons


def test_two_pipelines_of_one_name_in_two_namespaces_are_two(pipeline, cluster: Kube):
    posts = pipeline(run={"requestId": "mine"}, **BARE)

    assert posts.ended("mine")["result"] == "Succeeded"
    assert Pipeline(cluster, "posts").status.get("lastRequestId") is None


def test_deleting_needs_no_operator(pipeline, kube: Kube, cluster: Kube):
    pipeline("posts", run={"requestId": "one"}).ended("one")
    with without_an_operator(cluster):
        kube("delete", "etlpipeline", "posts", "--wait")
        kinds = ("deployments", "jobs", "configmaps", "services", "networkpolicies")
        eventually(lambda: _names(kube, *kinds) == set(), seconds=60)
        cluster("delete", "namespace", kube.namespace, "--timeout=60s")
        eventually(lambda: kube.namespace not in _namespaces_of_volumes(cluster), seconds=60)
    cluster("create", "namespace", kube.namespace)  # for what tidies up


def test_an_operator_that_starts_writes_nothing_where_nothing_has_changed(pipeline, kube: Kube, cluster: Kube):
    posts = pipeline(run={"requestId": "one"}, schedule={"cron": "0 0 1 1 *"})
    posts.ended("one")
    posts.ready()
    operator = cluster.within(SYSTEM)
    before = _versions(kube)

    operator("rollout", "restart", "deployment/etl-operator")
    operator("rollout", "status", "deployment/etl-operator", "--timeout=90s")
    posts.change(history={"successful": 5})  # once this is observed, all the rest has been looked at
    posts.ready()

    changed = {name for name, version in _versions(kube).items() if before.get(name) != version}
    assert changed == {"EtlPipeline/posts"}


def _namespaces_of_volumes(cluster: Kube) -> set[str]:
    return {volume["spec"]["claimRef"]["namespace"] for volume in cluster.list("persistentvolumes")}


def _versions(kube: Kube) -> dict[str, str]:
    kinds = "etlpipelines,deployments,services,configmaps,pvc,networkpolicies,cronjobs,serviceaccounts,jobs"
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in kube.list(kinds)
    }


def _names(kube: Kube, *kinds: str) -> set[str]:
    """Of what the cluster itself does not put into every namespace."""
    names = {item["metadata"]["name"] for item in kube.list(",".join(kinds))}
    return names - {"kube-root-ca.crt", "default"}


def _claim(name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
