"""What the status says: state in, status out."""

from __future__ import annotations

import copy
import json

import pytest

from etl_operator.kinds import Ref, ref_of
from etl_operator.plan import Outcome
from etl_operator.status import time_of
from operator_tests.cluster_state import NOW, State, resource

REPORT = {
    "run": {"id": "r-1", "status": "succeeded", "counts": {"fetched": 100, "inserted": 97, "rejected": 3}},
    "rows": 97,
}

#: As the service's history has it.
FROM_THE_PAGE = {
    "id": "r-7",
    "trigger": "rest",
    "request_id": None,
    "status": "succeeded",
    "reason": None,
    "message": None,
    "started_at": "2026-03-01T12:00:05.123456Z",
    "ended_at": "2026-03-01T12:00:09.123456Z",
    "counts": {"fetched": 100, "inserted": 100},
}


@pytest.fixture
def posts():
    return State(resource())


def condition(state, type_):
    return next((one for one in state.status["conditions"] if one["type"] == type_), None)


def run_once(state, id="one", **how):
    state.request(id)
    state.reconcile()
    job = next(job for job in state.jobs() if job["metadata"]["annotations"]["etlpipeline.dev/request-id"] == id)
    state.end(job, **how)
    state.reconcile()
    return state.status["lastRun"]


def test_it_is_ready_once_all_is_available_and_nothing_else_is_said(posts):
    posts.reconcile()

    assert [(one["type"], one["status"]) for one in posts.status["conditions"]] == [("Ready", "True")]
    assert posts.status["observedGeneration"] == 1


def test_a_second_look_says_the_same(posts):
    run_once(posts, report=json.dumps(REPORT))
    before = copy.deepcopy(posts.status)

    posts.reconcile()

    assert posts.status == before


def test_it_is_reconciling_while_pods_are_missing(posts):
    posts.reconcile()
    posts.get("Deployment", "posts-service")["status"]["availableReplicas"] = 0
    posts.reconcile()

    assert condition(posts, "Ready")["status"] == "False"
    assert condition(posts, "Reconciling")["message"] == "the service has 0 of 1 pods available"
    assert condition(posts, "Stalled") is None


def test_a_new_pipeline_that_is_scaled_to_nothing_waits_for_nothing(posts):
    posts.body["spec"] |= {"service": {"replicas": 0}, "frontend": {"replicas": 0}}
    posts.reconcile()
    for part in ("service", "frontend"):
        posts.get("Deployment", f"posts-{part}")["status"] = {"conditions": [{"type": "Progressing", "status": "True"}]}
    posts.reconcile()

    assert condition(posts, "Ready")["status"] == "True"


def test_a_deployment_that_does_not_come_up_stalls_it_with_the_reason(posts):
    posts.reconcile()
    posts.get("Deployment", "posts-service")["status"] = {
        "observedGeneration": 1,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
    }
    waiting = {"reason": "ImagePullBackOff", "message": "not found"}
    posts.children[Ref("Pod", "posts-service-1")] = {
        "kind": "Pod",
        "metadata": {
            "name": "posts-service-1",
            "labels": {"app.kubernetes.io/component": "service", "etlpipeline.dev/pipeline": "posts"},
            "ownerReferences": [{"kind": "ReplicaSet"}],
        },
        "status": {"phase": "Pending", "containerStatuses": [{"image": "no:1", "state": {"waiting": waiting}}]},
    }
    posts.reconcile()

    waiting |= {"reason": "ErrImagePull", "message": "back-off 20s"}
    posts.reconcile()

    assert [reason for _, reason, _ in posts.told] == ["ServiceUnavailable"]
    stalled = condition(posts, "Stalled")
    assert stalled["reason"] == "ServiceUnavailable"
    assert "the image no:1 cannot be pulled; check its name" in stalled["message"]


def test_a_run_that_succeeded_is_told_with_its_counts(posts):
    run = run_once(posts, report=json.dumps(REPORT))

    assert (run["id"], run["result"], run["inserted"], run["rejected"]) == ("r-1", "Succeeded", 97, 3)
    assert posts.status["rows"] == 97
    assert posts.status["lastSuccessTime"] == run["endTime"]
    assert condition(posts, "RunSucceeded")["message"] == "100 fetched: 97 new, 3 rejected"
    assert [reason for _, reason, _ in posts.told] == ["RunStarted", "RunSucceeded"]


def test_a_failed_run_leaves_the_pipeline_ready(posts):
    failed = {"id": "r-1", "status": "failed", "reason": "HttpError", "message": "404", "counts": {}}
    run = run_once(posts, well=False, report=json.dumps({"run": failed}))

    assert (run["result"], run["reason"], run["message"]) == ("Failed", "HttpError", "404")
    assert condition(posts, "RunSucceeded")["status"] == "False"
    assert condition(posts, "Ready")["status"] == "True"


def test_a_run_that_was_skipped_says_nothing_of_success(posts):
    run = run_once(posts, report=json.dumps({"refusal": {"reason": "Busy", "message": "run r-0 is under way"}}))

    assert (run["result"], run["message"]) == ("Skipped", "run r-0 is under way")
    assert condition(posts, "RunSucceeded") is None


@pytest.mark.parametrize(
    ("pod", "reason", "message"),
    [
        ({"died_of": "OOMKilled"}, "OutOfMemory", "out of memory at 512Mi; raise run.resources.limits.memory"),
        ({"reason": "Evicted", "message": "the node was low on memory"}, "Evicted", "low on memory"),
        (
            {"conditions": [{"type": "DisruptionTarget", "status": "True", "message": "node drained"}]},
            "Disrupted",
            "node drained",
        ),
        ({}, "ProcessLost", "ended without a word, with code 1"),
    ],
)
def test_a_run_that_left_no_word_is_told_of_by_its_pod_and_to_the_history(posts, pod, reason, message):
    run = run_once(posts, well=False, **pod)

    assert (run["result"], run["reason"]) == ("Interrupted", reason)
    assert message in run["message"]
    (told,) = json.loads(posts.get("ConfigMap", "posts-lost-runs")["data"]["lost-runs.json"])
    assert (told["request_id"], told["reason"]) == ("one", reason)


def test_a_run_that_is_tried_again_says_why_the_last_attempt_failed(posts):
    posts.request("one")
    posts.reconcile()
    (job,) = posts.jobs()
    failed = {"id": "r-1", "status": "failed", "reason": "SecretMissing", "message": "no key", "counts": {}}

    posts.pod(job, phase="Failed", report=json.dumps({"run": failed}))
    posts.reconcile()

    run = posts.status["lastRun"]
    assert (run["result"], run["reason"], run["message"]) == ("Running", "SecretMissing", "an attempt failed: no key")


def test_what_a_run_was_up_against_is_known_after_its_pods_have_gone(posts):
    posts.request("one")
    posts.reconcile()
    (job,) = posts.jobs()
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    posts.pod(job, phase="Pending", conditions=[unscheduled], containerStatuses=[])
    posts.reconcile()
    assert posts.status["lastRun"]["reason"] == "Unschedulable"

    posts.children = {ref: child for ref, child in posts.children.items() if ref.kind != "Pod"}
    posts.reconcile()  # the deadline has passed, and the Job waits for its pods to be gone
    posts.end(job, well=False)
    job["status"]["conditions"][0]["reason"] = "DeadlineExceeded"
    posts.children = {ref: child for ref, child in posts.children.items() if ref.kind != "Pod"}
    posts.reconcile()

    run = posts.status["lastRun"]
    assert (run["result"], run["reason"]) == ("Interrupted", "Unschedulable")
    assert run["message"].startswith("it did not begin within its deadline: no node takes its pod: 0/3 nodes")


def test_a_result_outlives_its_job(posts):
    run = run_once(posts, report=json.dumps(REPORT))
    posts.children = {ref: child for ref, child in posts.children.items() if ref.kind not in ("Job", "Pod")}

    posts.reconcile()

    assert posts.status["lastRun"] == run
    assert posts.status["rows"] == 97


def test_a_job_that_is_deleted_while_it_runs_is_an_interrupted_run(posts):
    posts.request("one")
    posts.reconcile()
    posts.children = {ref: child for ref, child in posts.children.items() if ref.kind != "Job"}
    posts.reconcile()

    assert (posts.status["lastRun"]["result"], posts.status["lastRun"]["reason"]) == ("Interrupted", "JobDeleted")


def test_ten_runs_are_kept(posts):
    for number in range(12):
        run_once(posts, f"run-{number}", report=json.dumps(REPORT))

    assert len(posts.status["recentRuns"]) == 10


def test_the_next_run_of_the_schedule_is_told_in_utc(posts):
    posts.body["spec"]["schedule"] = {"cron": "0 3 * * *", "timeZone": "Europe/Paris"}
    posts.reconcile()
    assert posts.status["nextScheduleTime"] == "2026-03-02T02:00:00Z"

    posts.body["spec"]["suspend"] = True
    posts.reconcile()

    assert "nextScheduleTime" not in posts.status
    assert condition(posts, "Suspended")["status"] == "True"


def test_since_when_the_schedule_begins_runs_is_told_until_it_is_suspended(posts):
    posts.body["spec"]["schedule"] = {"cron": "@daily"}
    posts.reconcile()
    assert posts.status["scheduledSince"] == time_of(NOW)
    posts.status["scheduledSince"] = "2026-01-01T00:00:00Z"
    posts.reconcile()
    assert posts.status["scheduledSince"] == "2026-01-01T00:00:00Z"

    posts.body["spec"]["suspend"] = True
    posts.reconcile()

    assert "scheduledSince" not in posts.status


def test_trouble_is_told_once_and_so_is_its_end(posts):
    posts.body["spec"]["schedule"] = {"cron": "0 0 30 2 *"}
    posts.reconcile()
    posts.reconcile()
    posts.body["spec"]["schedule"] = {"cron": "@daily"}
    posts.reconcile()
    posts.reconcile()

    assert [reason for _, reason, _ in posts.told] == ["InvalidSpec", "Recovered"]


def test_a_condition_keeps_the_moment_since_when_it_holds(posts):
    posts.reconcile()
    posts.status["conditions"][0]["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    posts.body["metadata"]["generation"] = 2

    posts.reconcile()

    ready = condition(posts, "Ready")
    assert (ready["lastTransitionTime"], ready["observedGeneration"]) == ("2020-01-01T00:00:00Z", 2)


def test_a_volume_that_grows_is_waited_for(posts):
    posts.reconcile()
    posts.get("PersistentVolumeClaim", "posts-data")["spec"]["resources"]["requests"]["storage"] = "2Gi"
    posts.body["spec"]["storage"] = {"size": "2Gi"}
    posts.reconcile()
    posts.get("PersistentVolumeClaim", "posts-data")["status"]["capacity"] = {"storage": "1Gi"}
    posts.reconcile()

    assert "the volume grows from 1Gi to 2Gi" in condition(posts, "Reconciling")["message"]
    assert posts.status["storage"] == {"claim": "posts-data", "phase": "Bound", "capacity": "1Gi"}


def test_what_could_not_be_done_for_now_is_not_ready(posts):
    posts.reconcile(Outcome(delayed="the API server is busy"), without=["NetworkPolicy"])

    assert condition(posts, "Ready")["status"] == "False"
    assert condition(posts, "Reconciling")["message"] == "the API server is busy"


def test_a_mended_spec_is_not_judged_by_what_became_of_the_last_one(posts):
    posts.reconcile()
    failed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    service = posts.get("Deployment", "posts-service")
    service["status"] = {"observedGeneration": 1, "conditions": [failed]}
    posts.reconcile()
    assert condition(posts, "Stalled")

    service["metadata"]["generation"] = 2
    posts.reconcile()

    assert condition(posts, "Stalled") is None
    assert condition(posts, "Reconciling")["message"] == "the service is being changed"


def test_a_lost_volume_does_not_matter_to_who_has_another_store(posts):
    posts.reconcile()
    posts.get("PersistentVolumeClaim", "posts-data")["status"] = {"phase": "Lost"}
    posts.reconcile()
    assert condition(posts, "Stalled")["reason"] == "VolumeLost"

    secret = {"secretKeyRef": {"name": "database", "key": "dsn"}}
    posts.body["spec"]["load"] |= {"postgres": {"dsn": secret}}
    posts.reconcile()

    assert condition(posts, "Ready")["status"] == "True"


def test_a_container_that_ends_again_and_again_is_told_of_without_the_seconds(posts):
    posts.reconcile()
    posts.get("Deployment", "posts-service")["status"]["availableReplicas"] = 0
    container: dict[str, object] = {"restartCount": 4, "ready": False, "lastState": {"terminated": {"exitCode": 1}}}
    posts.children[Ref("Pod", "posts-service-1")] = {
        "kind": "Pod",
        "metadata": {"name": "posts-service-1", "labels": {"app.kubernetes.io/component": "service"}},
        "status": {"phase": "Running", "containerStatuses": [container]},
    }
    said = set()
    states: tuple[dict[str, object], ...] = (
        {"running": {}},
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
    )
    for state in states:
        container["state"] = state
        posts.reconcile()
        said.add(condition(posts, "Reconciling")["message"])

    assert said == {
        "the service has 0 of 1 pods available: its container ends again and again, with code 1; see its log"
    }


def test_a_run_that_was_asked_for_over_rest_is_told_as_others_are(posts):
    run = FROM_THE_PAGE | {"status": "running", "ended_at": None, "counts": {}}
    posts.history = [run]
    posts.reconcile()
    assert posts.status["lastRun"] == {
        "id": "r-7",
        "trigger": "rest",
        "startTime": "2026-03-01T12:00:05Z",
        "result": "Running",
    }

    posts.history = [FROM_THE_PAGE]
    posts.rows = 100
    posts.reconcile()
    posts.history = None  # after a new start of the operator
    posts.reconcile()

    assert (posts.status["lastRun"]["result"], posts.status["rows"]) == ("Succeeded", 100)
    assert condition(posts, "RunSucceeded")["message"] == "100 fetched: 100 new"
    assert [message for *_, message in posts.told] == ["run r-7 has begun", "run r-7: 100 fetched: 100 new"]


def test_a_run_of_a_service_that_has_gone_is_not_running_for_ever(posts):
    running = {"id": "r-7", "trigger": "rest", "startTime": "2026-03-01T12:00:05Z", "result": "Running"}
    posts.body["status"] = {"recentRuns": [running]}
    posts.reconcile()
    assert posts.status["lastRun"]["result"] == "Running", "nobody has been asked yet"

    posts.body["spec"]["service"] = {"replicas": 0}
    posts.reconcile()

    assert (posts.status["lastRun"]["result"], posts.status["lastRun"]["reason"]) == ("Interrupted", "ServiceGone")


def test_the_rows_do_not_go_back_to_what_an_earlier_run_told(posts):
    run_once(posts, "one", report=json.dumps(REPORT))
    posts.history = [FROM_THE_PAGE]
    posts.rows = 90
    run_once(posts, "two", report=json.dumps(REPORT | {"rows": 120}))
    assert posts.status["rows"] == 120
    posts.children = {ref: child for ref, child in posts.children.items() if ref.kind != "Pod"}

    posts.reconcile()

    assert posts.status["rows"] == 120


def test_what_somebody_else_has_labelled_says_nothing_of_the_pipeline(posts):
    posts.reconcile()
    labels = {"etlpipeline.dev/pipeline": "posts"}
    posts.put({"kind": "Deployment", "metadata": {"name": "grafana", "labels": labels}, "spec": {"replicas": 1}})
    posts.get("Deployment", "grafana")["status"] = {}

    posts.reconcile()

    assert condition(posts, "Ready")["status"] == "True"


def test_suspending_it_starts_no_service_anew(posts):
    posts.reconcile()
    posts.body["spec"]["suspend"] = True

    assert [str(ref_of(manifest)) for manifest in posts.plan().apply] == ["ConfigMap posts-pipeline"]
