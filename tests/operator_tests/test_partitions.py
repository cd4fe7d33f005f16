"""Runs that are divided among several pods: the Job of one, and what the status says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_operator.partitions import progress, suspects
from operator_tests.cluster_state import State, resource

CATEGORIES = ["books", "music", "films"]
REF = {"secretKeyRef": {"name": "database", "key": "dsn"}}


def divided(**partitions: Any) -> dict[str, Any]:
    wanted = partitions or {"param": "category", "values": CATEGORIES, "parallelism": 2}
    return resource(
        {
            "extract": {"url": "https://api.example.com/posts", "partitions": wanted},
            "load": {"table": "posts", "key": ["id"], "postgres": {"dsn": REF}},
        }
    )


@pytest.fixture
def posts():
    return State(divided())


def begun(state: State) -> dict[str, Any]:
    """The Job of a run that was asked for."""
    state.request("one")
    state.reconcile()
    (job,) = state.jobs()
    return job


def last_run(state: State) -> dict[str, Any]:
    state.reconcile()
    found: dict[str, Any] = state.status["lastRun"]
    return found


def words(index: int, status: str = "succeeded", *, run: str = "running", **cause: str) -> str:
    """A worker's last words: its own partition, and the run as it is then."""
    partition = {"index": index, "name": f"category={CATEGORIES[index]}", "status": status}
    of_run = cause if run != "running" else {}
    of_partition = cause if run == "running" else {}
    told = {"id": "r-1", "status": run, "counts": {"fetched": 30}, **of_run, "partitions": [partition | of_partition]}
    return json.dumps({"run": told, **({"rows": 30} if run == "succeeded" else {})})


class TestTheJob:
    def test_it_has_a_pod_for_each_partition(self, posts):
        spec = begun(posts)["spec"]

        assert spec["completionMode"] == "Indexed"
        assert (spec["completions"], spec["parallelism"]) == (3, 2)
        (container,) = spec["template"]["spec"]["containers"]
        assert container["args"] == [
            *("work", "--trigger", "request", "--request-id", "$(REQUEST_ID)"),
            *("--partition", "$(JOB_COMPLETION_INDEX)", "--failures", "$(FAILURES)"),
        ]
        (failures,) = (one for one in container["env"] if one["name"] == "FAILURES")
        annotation = "metadata.annotations['batch.kubernetes.io/job-index-failure-count']"
        assert failures["valueFrom"] == {"fieldRef": {"fieldPath": annotation}}

    def test_no_more_pods_are_begun_than_there_are_partitions(self, posts):
        posts.body["spec"]["extract"]["partitions"]["parallelism"] = 50

        assert begun(posts)["spec"]["parallelism"] == 3

    def test_each_partition_has_attempts_of_its_own_and_the_first_that_fails_for_good_ends_it(self, posts):
        posts.body["spec"]["run"] = {"backoffLimit": 4}

        spec = begun(posts)["spec"]

        assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (4, 0)
        assert "backoffLimit" not in spec

    def test_a_worker_can_know_how_many_attempts_it_has(self, posts):
        posts.body["spec"]["run"] = {"backoffLimit": 4}
        posts.reconcile()

        document = json.loads(posts.get("ConfigMap", "posts-pipeline")["data"]["pipeline.json"])

        assert document["spec"]["run"] == {"backoffLimit": 4}

    def test_it_ends_where_the_document_is_wrong_or_the_run_may_not_begin(self, posts):
        wrong, disrupted = begun(posts)["spec"]["podFailurePolicy"]["rules"]

        assert (wrong["action"], wrong["onExitCodes"]["values"]) == ("FailJob", [2, 3])
        assert (disrupted["action"], disrupted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")

    def test_the_schedule_makes_the_same(self, posts):
        posts.body["spec"]["schedule"] = {"cron": "@hourly"}
        job = begun(posts)["spec"]

        scheduled = posts.get("CronJob", "posts-schedule")["spec"]["jobTemplate"]["spec"]

        asked, known = ({name: one[name] for name in one if name != "template"} for one in (scheduled, job))
        assert asked == known
        args = scheduled["template"]["spec"]["containers"][0]["args"]
        assert args[:3] == ["work", "--trigger", "schedule"]
        assert args[-4:] == ["--partition", "$(JOB_COMPLETION_INDEX)", "--failures", "$(FAILURES)"]

    def test_its_pods_prefer_different_nodes(self, posts):
        (apart,) = begun(posts)["spec"]["template"]["spec"]["topologySpreadConstraints"]

        assert (apart["topologyKey"], apart["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
        assert apart["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "run"

    def test_other_runs_have_none_of_this(self):
        posts = State(resource())
        spec = begun(posts)["spec"]

        assert spec["backoffLimit"] == 2
        assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [2]
        assert not {"completionMode", "completions", "backoffLimitPerIndex", "maxFailedIndexes"} & spec.keys()
        assert "topologySpreadConstraints" not in spec["template"]["spec"]
        assert "--partition" not in spec["template"]["spec"]["containers"][0]["args"]


class TestTheService:
    def test_it_knows_the_command_that_asks_for_a_run(self, posts):
        posts.reconcile()

        (container,) = posts.get("Deployment", "posts-service")["spec"]["template"]["spec"]["containers"]

        # Of $$( Kubernetes makes $( when it fills in an environment.
        assert {one["name"]: one.get("value") for one in container["env"]}["ETL_RUN_WITH"] == (
            'kubectl annotate --overwrite --namespace team etlpipeline/posts etlpipeline.dev/run="$$(date +%s)"'
        )

    def test_one_that_begins_runs_itself_is_as_it_was(self):
        posts = State(resource())
        posts.reconcile()

        (container,) = posts.get("Deployment", "posts-service")["spec"]["template"]["spec"]["containers"]

        assert "ETL_RUN_WITH" not in [one["name"] for one in container["env"]]


class TestHowFarItIs:
    def test_it_is_told_as_the_job_tells_it(self, posts):
        job = begun(posts)
        assert last_run(posts)["partitions"] == {"count": 3}

        posts.pod(job, index=1, phase="Succeeded", report=words(1))
        job["status"] = {"completedIndexes": "1"}

        run = last_run(posts)
        assert (run["result"], run["partitions"]) == ("Running", {"count": 3, "completed": "1"})
        assert "reason" not in run

    def test_it_is_left_out_of_other_runs(self):
        posts = State(resource())
        begun(posts)

        assert "partitions" not in last_run(posts)

    def test_a_failed_attempt_is_told_with_its_partition_until_another_completes_it(self, posts):
        job = begun(posts)
        posts.pod(job, index=0, attempt=5, phase="Succeeded", report=words(0))
        posts.pod(job, index=1, phase="Failed", report=words(1, "failed", reason="HttpError", message="500"))

        run = last_run(posts)
        assert (run["result"], run["reason"]) == ("Running", "HttpError")
        assert run["message"] == "partition 1 (category=music): an attempt failed: 500"

        posts.pod(job, index=1, attempt=1, phase="Succeeded", report=words(1))
        assert "reason" not in last_run(posts)

    def test_a_worker_that_died_without_a_word_is_told_with_its_partition(self, posts):
        job = begun(posts)
        posts.pod(job, index=2, phase="Failed", died_of="OOMKilled")

        run = last_run(posts)

        assert (run["result"], run["reason"]) == ("Running", "OutOfMemory")
        assert run["message"] == "partition 2: out of memory at 512Mi; raise run.resources.limits.memory"


class TestHowItEnded:
    def test_the_word_of_the_worker_that_merged_counts_whichever_pod_is_the_newest(self, posts):
        job = begun(posts)
        posts.pod(job, index=0, attempt=0, phase="Succeeded", report=words(0))
        posts.pod(job, index=1, attempt=1, phase="Succeeded", report=words(1, run="succeeded"))
        posts.pod(job, index=2, attempt=2, phase="Succeeded", report=words(2))
        posts.finish(job, completedIndexes="0-2")

        run = last_run(posts)

        assert (run["id"], run["result"], run["fetched"]) == ("r-1", "Succeeded", 30)
        assert run["partitions"] == {"count": 3, "completed": "0-2"}
        assert posts.status["rows"] == 30

    def test_it_has_succeeded_though_the_pod_that_merged_is_gone(self, posts):
        job = begun(posts)
        for index in (0, 2):
            posts.pod(job, index=index, phase="Succeeded", report=words(index))
        posts.finish(job, completedIndexes="0-2")

        run = last_run(posts)

        assert (run["result"], "reason" in run) == ("Succeeded", False)
        assert "posts-lost-runs" not in [ref.name for ref in posts.children]

    def test_the_word_of_the_merge_is_taken_when_it_comes_after_the_end(self, posts):
        job = begun(posts)
        posts.finish(job, completedIndexes="0-2")
        assert "fetched" not in last_run(posts)

        posts.pod(job, index=1, phase="Succeeded", report=words(1, run="succeeded"))

        assert last_run(posts)["fetched"] == 30
        assert [reason for _, reason, _ in posts.told] == ["RunStarted", "RunSucceeded"]

    def test_a_partition_that_failed_for_good_tells_it_itself(self, posts):
        job = begun(posts)
        said = "partition 1 (category=music): 500"
        posts.pod(
            job, index=1, phase="Failed", report=words(1, "failed", run="failed", reason="HttpError", message=said)
        )
        posts.pod(
            job, index=2, attempt=3, phase="Failed", report=words(2, "interrupted", reason="Stopped", message="-")
        )
        posts.finish(job, well=False, failedIndexes="1")

        run = last_run(posts)

        assert (run["result"], run["reason"], run["message"]) == ("Failed", "HttpError", said)
        assert run["partitions"] == {"count": 3, "failed": "1"}

    def test_a_partition_that_died_for_good_is_the_cause_and_is_told_to_the_history(self, posts):
        job = begun(posts)
        posts.pod(job, index=0, phase="Succeeded", report=words(0))
        posts.pod(job, index=1, phase="Failed", died_of="OOMKilled")
        stopped = words(2, "interrupted", reason="Stopped", message="told to stop")
        posts.pod(job, index=2, attempt=3, phase="Failed", report=stopped)
        posts.finish(job, well=False, failedIndexes="1", completedIndexes="0")

        run = last_run(posts)
        posts.reconcile()

        assert (run["result"], run["reason"]) == ("Interrupted", "OutOfMemory")
        assert run["partitions"] == {"count": 3, "completed": "0", "failed": "1"}
        (told,) = json.loads(posts.get("ConfigMap", "posts-lost-runs")["data"]["lost-runs.json"])
        assert (told["request_id"], told["reason"]) == ("one", "OutOfMemory")
        assert told["message"] == "partition 1: out of memory at 512Mi; raise run.resources.limits.memory"

    def test_a_wrong_document_is_the_cause_and_not_the_pods_that_it_stopped(self, posts):
        job = begun(posts)
        refused = json.dumps({"refusal": {"reason": "SecretMissing", "message": "no key dsn"}})
        posts.pod(job, index=0, phase="Failed", report=refused)
        stopped = posts.pod(
            job, index=1, attempt=3, phase="Failed", report=words(1, "interrupted", reason="Stopped", message="-")
        )
        stopped["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:31Z"
        posts.finish(job, well=False)

        run = last_run(posts)

        assert (run["result"], run["reason"]) == ("Interrupted", "SecretMissing")
        assert run["message"] == "partition 0: an attempt failed: no key dsn"

    def test_a_run_that_no_worker_could_begin_is_told_in_the_words_of_one(self, posts):
        job = begun(posts)
        posts.pod(
            job, index=0, phase="Failed", report=json.dumps({"refusal": {"reason": "SecretMissing", "message": "no"}})
        )
        posts.finish(job, well=False)

        run = last_run(posts)

        assert (run["result"], run["reason"], run["message"]) == ("Failed", "SecretMissing", "no")

    def test_a_run_that_its_first_worker_may_not_begin_is_skipped(self, posts):
        job = begun(posts)
        busy = {"refusal": {"reason": "Busy", "message": "run r-0 is under way"}}
        waited = {"refusal": {"reason": "Terminated", "message": "told to end before the run began"}}
        posts.pod(job, index=0, phase="Failed", report=json.dumps(busy))
        stopped = posts.pod(job, index=1, attempt=1, phase="Failed", report=json.dumps(waited))
        stopped["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:31Z"
        posts.finish(job, well=False)

        run = last_run(posts)

        assert (run["result"], run["message"]) == ("Skipped", "run r-0 is under way")

    def test_one_whose_pods_found_no_node_did_not_end_in_time(self, posts):
        job = begun(posts)
        posts.pod(job, index=0, phase="Succeeded", report=words(0))
        unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
        posts.pod(job, index=1, phase="Pending", conditions=[unscheduled], containerStatuses=[])
        posts.finish(job, well=False)
        job["status"]["conditions"][0]["reason"] = "DeadlineExceeded"

        assert last_run(posts)["message"] == (
            "it did not end within its deadline: partition 1: no node takes its pod: 0/3 nodes are available"
        )


def written(indexes: set[int]) -> str:
    """As Kubernetes writes them: ``0-2,7``; two that follow each other are ``4,5``."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


@given(st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)))
def test_a_complete_partition_is_never_the_trouble_and_where_one_failed_for_good_no_other_is(completed, failed):
    status = {"completedIndexes": written(completed - failed), "failedIndexes": written(failed)}
    job = {"spec": {"completionMode": "Indexed", "completions": 40}, "status": status}
    annotation = "batch.kubernetes.io/job-completion-index"
    pods = [
        {"metadata": {"annotations": {annotation: str(index)}}, "status": {"phase": "Failed"}} for index in range(40)
    ]

    found = {int(pod["metadata"]["annotations"][annotation]) for pod in suspects(job, pods)}

    assert found == (failed or set(range(40)) - completed)
    told = {name: indexes for name, indexes in zip(("completed", "failed"), status.values(), strict=True) if indexes}
    assert progress(job) == {"count": 40, **told}
