"""What is to be done: state in, plan out."""

from __future__ import annotations

import copy

import pytest

from etl_operator.kinds import Ref, ref_of
from etl_operator.plan import Outcome, Plan, Problem
from operator_tests.cluster_state import State, resource


@pytest.fixture
def posts():
    return State(resource())


def refs(plan):
    return [str(ref_of(manifest)) for manifest in plan.apply]


def test_a_new_pipeline_gets_all_its_children_the_volume_first(posts):
    assert refs(posts.plan()) == [
        "PersistentVolumeClaim posts-data",
        "ServiceAccount posts-etl",
        "ConfigMap posts-pipeline",
        "Deployment posts-service",
        "Service posts-service",
        "Deployment posts-frontend",
        "Service posts-frontend",
        "NetworkPolicy posts-service",
        "NetworkPolicy posts-run",
        "NetworkPolicy posts-frontend",
    ]


def test_what_is_in_place_is_left_alone(posts):
    posts.reconcile()

    plan = posts.reconcile()

    assert (plan.apply, plan.delete, plan.end) == ([], [], [])


def test_a_field_that_was_changed_by_hand_is_put_back(posts):
    posts.reconcile()
    posts.get("Deployment", "posts-service")["spec"]["replicas"] = 5

    assert refs(posts.plan()) == ["Deployment posts-service"]


def test_a_field_that_somebody_has_added_is_theirs(posts):
    posts.reconcile()
    posts.get("Deployment", "posts-service")["spec"]["template"]["spec"]["priorityClassName"] = "high"

    assert refs(posts.plan()) == []


@pytest.mark.parametrize(
    ("kind", "name", "where", "added"),
    [
        ("Service", "posts-service", ["selector"], {"tier": "other"}),
        ("NetworkPolicy", "posts-service", ["podSelector", "matchLabels"], {"tier": "other"}),
        ("NetworkPolicy", "posts-service", ["ingress", 0, "from", 0], {"namespaceSelector": {}}),
        ("NetworkPolicy", "posts-run", ["egress", 0], {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}),
    ],
)
def test_what_is_added_to_a_selector_or_a_rule_changes_it_and_is_taken_back(posts, kind, name, where, added):
    posts.reconcile()
    part = posts.get(kind, name)["spec"]
    for step in where:
        part = part[step]
    part |= added

    assert refs(posts.plan()) == [f"{kind} {name}"]


def test_a_field_that_is_no_longer_wanted_is_applied_away(posts):
    posts.body["spec"]["pod"] = {"nodeSelector": {"disk": "fast"}}
    posts.reconcile()
    del posts.body["spec"]["pod"]

    assert refs(posts.plan()) == ["Deployment posts-service", "Deployment posts-frontend"]


def test_the_servers_spelling_of_a_quantity_is_the_same_quantity(posts):
    posts.body["spec"]["service"] = {"resources": {"limits": {"cpu": "1000m"}}}
    posts.reconcile()
    posts.get("Deployment", "posts-service")["spec"]["template"]["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": "1"}
    }

    assert refs(posts.plan()) == []


def test_a_page_that_is_no_longer_wanted_is_deleted(posts):
    posts.reconcile()
    posts.body["spec"]["frontend"] = {"enabled": False}

    assert [str(ref) for ref in posts.plan().delete] == [
        "Deployment posts-frontend",
        "NetworkPolicy posts-frontend",
        "Service posts-frontend",
    ]


def test_a_schedule_goes_once_its_run_has_ended(posts):
    posts.body["spec"]["schedule"] = {"cron": "@hourly"}
    posts.reconcile()
    del posts.body["spec"]["schedule"]
    cron = posts.get("CronJob", "posts-schedule")

    cron["status"] = {"active": [{"name": "posts-schedule-1"}]}
    assert list(posts.reconcile().delete) == []
    assert cron["spec"]["suspend"] is True, "another may begin"
    cron["status"] = {}
    assert list(posts.plan().delete) == [Ref("CronJob", "posts-schedule")]


def scheduled(posts, name):
    """A Job of the schedule, as the cluster makes it."""
    template = posts.get("CronJob", "posts-schedule")["spec"]["jobTemplate"]
    uid = posts.get("CronJob", "posts-schedule")["metadata"]["uid"]
    metadata = {**template["metadata"], "name": name, "namespace": "team", "ownerReferences": [{"kind": "CronJob"}]}
    metadata["ownerReferences"][0] |= {"uid": uid, "name": "posts-schedule"}
    return posts.put({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]})


def test_a_schedule_that_goes_takes_no_result_with_it_that_is_not_written(posts):
    posts.body["spec"]["schedule"] = {"cron": "@hourly"}
    posts.reconcile()
    posts.end(scheduled(posts, "posts-schedule-1"))
    del posts.body["spec"]["schedule"]

    assert list(posts.reconcile().delete) == []
    assert list(posts.reconcile().delete) == [Ref("CronJob", "posts-schedule")]


def test_the_cluster_keeps_as_many_scheduled_jobs_as_the_status_tells_of_and_the_history_s_rest_goes(posts):
    posts.body["spec"] |= {"schedule": {"cron": "@hourly"}, "history": {"successful": 0}}
    posts.reconcile()
    assert posts.get("CronJob", "posts-schedule")["spec"]["successfulJobsHistoryLimit"] == 10
    posts.end(scheduled(posts, "posts-schedule-1"))
    posts.reconcile()
    assert posts.status["lastRun"]["result"] == "Succeeded"

    (part,) = posts.plan().end

    assert (part["metadata"]["name"], part["spec"]) == ("posts-schedule-1", {"ttlSecondsAfterFinished": 60})


def test_a_volume_and_its_history_are_never_deleted(posts):
    posts.request("one")
    posts.reconcile()
    posts.body["spec"]["load"] = {"table": "posts", "key": ["id"], "postgres": {"dsn": {"secretKeyRef": REF}}}

    posts.reconcile()

    assert posts.get("PersistentVolumeClaim", "posts-data") and posts.jobs()
    assert "StoreChanged" in [reason for _, reason, _ in posts.told]


REF = {"name": "database", "key": "dsn"}


class TestPostgres:
    """A pipeline whose rows are elsewhere has no volume, and is bound to no node."""

    @pytest.fixture
    def posts(self, posts):
        posts.body["spec"] |= {
            "load": {"table": "posts", "key": ["id"], "postgres": {"dsn": {"secretKeyRef": REF}}},
            "service": {"replicas": 3},
            "schedule": {"cron": "@hourly"},
        }
        posts.request("one")
        posts.reconcile()
        return posts

    def templates(self, posts):
        (job,) = posts.jobs()
        schedule = posts.get("CronJob", "posts-schedule")["spec"]["jobTemplate"]
        return [each["spec"]["template"]["spec"] for each in (posts.get("Deployment", "posts-service"), job, schedule)]

    def test_there_is_no_claim_for_a_volume(self, posts):
        assert not [ref for ref in posts.children if ref.kind == "PersistentVolumeClaim"]
        assert "Ready" in [one["type"] for one in posts.status["conditions"] if one["status"] == "True"]

    def test_its_services_are_replaced_one_after_the_other(self, posts):
        deployment = posts.get("Deployment", "posts-service")["spec"]
        assert (deployment["replicas"], deployment["strategy"]) == (3, {"type": "RollingUpdate"})
        (container,) = deployment["template"]["spec"]["containers"]
        assert "preStop" in container["lifecycle"]  # requests on their way to a pod that goes still arrive
        assert posts.get("PodDisruptionBudget", "posts-service")

    def test_its_pods_go_to_any_node(self, posts):
        assert [template.get("affinity") for template in self.templates(posts)] == [None] * 3

    def test_its_pods_have_the_secret_and_no_database_of_their_own(self, posts):
        for template in self.templates(posts):
            (container,) = template["containers"]
            assert "/run/secrets/database" in [mount["mountPath"] for mount in container["volumeMounts"]]
            assert "/data" not in [mount["mountPath"] for mount in container["volumeMounts"]]
            assert "ETL_DATABASE" not in [variable["name"] for variable in container["env"]]

    def test_its_service_completes_the_history_too(self, posts):
        (container,) = posts.get("Deployment", "posts-service")["spec"]["template"]["spec"]["containers"]
        assert "ETL_LOST_RUNS" in [variable["name"] for variable in container["env"]]


def test_one_id_is_one_job_by_whatever_way_it_came(posts):
    posts.body["spec"]["run"] = {"requestId": "a"}
    posts.request("a")
    posts.reconcile()
    (job,) = posts.jobs()
    assert job["metadata"]["annotations"]["etlpipeline.dev/request-id"] == "a"

    posts.children.pop(ref_of(job))  # it was cleaned up
    posts.reconcile()

    assert posts.jobs() == []
    assert (posts.status["lastRequestId"], posts.status["lastRunAnnotation"]) == ("a", "a")


def test_a_job_that_was_made_before_the_status_was_written_is_not_made_again(posts):
    posts.request("a")
    posts.reconcile()
    before = copy.deepcopy(posts.jobs())
    del posts.body["status"]  # the operator was killed before it wrote that

    posts.reconcile()

    assert posts.jobs() == before
    assert posts.status["lastRunAnnotation"] == "a"


def test_an_id_whose_job_could_not_be_made_is_asked_for_still(posts):
    posts.reconcile()
    posts.request("a")
    posts.reconcile(Outcome(delayed="the API server is busy"), without=["Job"])
    assert "lastRunAnnotation" not in posts.status

    posts.reconcile()

    assert (len(posts.jobs()), posts.status["lastRunAnnotation"]) == (1, "a")


def test_an_id_whose_job_is_there_is_handled_whatever_else_is_refused(posts):
    posts.request("a")

    posts.reconcile(Outcome({Ref("Service", "posts-service"): Problem("ChildInvalid", "no")}), without=["Service"])

    assert posts.status["lastRunAnnotation"] == "a"


def test_a_pipeline_of_the_same_name_has_other_jobs(posts):
    posts.request("a")
    posts.reconcile()
    other = State(resource(uid="u-2"))
    other.request("a")
    other.reconcile()

    assert posts.jobs()[0]["metadata"]["name"] != other.jobs()[0]["metadata"]["name"]


def test_no_job_is_made_while_it_is_suspended(posts):
    posts.body["spec"] |= {"suspend": True, "schedule": {"cron": "@hourly"}}
    posts.request("a")

    posts.reconcile()

    assert posts.jobs() == []
    assert posts.get("CronJob", "posts-schedule")["spec"]["suspend"] is True
    assert "lastRunAnnotation" not in posts.status


def test_an_id_that_cannot_be_one_is_refused_once(posts):
    posts.request("a b")
    posts.reconcile()
    posts.reconcile()

    assert posts.jobs() == []
    (told,) = posts.told
    assert told[:2] == ("Warning", "RunRefused")
    assert told[2].startswith("the annotation etlpipeline.dev/run is not an id; write letters, digits")


def test_finished_jobs_beyond_the_history_go_once_their_result_is_written(posts):
    posts.body["spec"]["history"] = {"successful": 1}
    for number, id in enumerate("abc"):
        posts.request(id)
        posts.reconcile()
        job = next(job for job in posts.jobs() if not job.get("status"))
        job["metadata"]["creationTimestamp"] = f"2026-03-01T12:00:0{number}Z"
        posts.end(job)

    assert "ttlSecondsAfterFinished" not in posts.jobs()[2]["spec"]
    posts.reconcile()

    kept = [job for job in posts.jobs() if "ttlSecondsAfterFinished" not in job["spec"]]
    assert [job["metadata"]["annotations"]["etlpipeline.dev/request-id"] for job in kept] == ["c"]


def test_a_volume_that_somebody_else_has_made_stops_everything(posts):
    posts.put({"kind": "PersistentVolumeClaim", "metadata": {"name": "posts-data"}, "spec": SPEC})

    plan = posts.plan()

    assert plan.problem is not None and plan.problem.reason == "VolumeNotOurs"
    assert plan.apply == ()


SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}


def test_what_others_have_labelled_is_theirs_unless_it_has_a_child_s_name(posts):
    posts.reconcile()
    labels = posts.get("Service", "posts-frontend")["metadata"]["labels"]
    posts.put({"kind": "Service", "metadata": {"name": "posts-public", "labels": labels}, "spec": {}})
    of_another = [{"kind": "EtlPipeline", "name": "users", "uid": "u-9"}]
    relabelled = {"name": "users-service", "labels": labels, "ownerReferences": of_another}
    posts.put({"kind": "Service", "metadata": relabelled, "spec": {}})
    assert posts.plan() == Plan(apply=[], delete=[], end=[], handled=[])

    del posts.get("Service", "posts-frontend")["metadata"]["ownerReferences"]

    problem = posts.plan().problem
    assert problem is not None and problem.reason == "NameTaken"


def test_a_volume_with_the_label_is_adopted_with_the_size_it_has(posts):
    labels = {"etlpipeline.dev/pipeline": "posts"}
    posts.put({"kind": "PersistentVolumeClaim", "metadata": {"name": "posts-data", "labels": labels}, "spec": SPEC})

    posts.reconcile()

    claim = posts.get("PersistentVolumeClaim", "posts-data")
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert "ownerReferences" not in claim["metadata"]


def test_a_volume_that_is_not_to_be_kept_goes_with_the_pipeline(posts):
    posts.body["spec"]["storage"] = {"retain": False}
    posts.reconcile()
    assert posts.get("PersistentVolumeClaim", "posts-data")["metadata"]["ownerReferences"][0]["uid"] == "u-1"

    posts.body["spec"]["storage"] = {"retain": True}

    assert refs(posts.plan()) == ["PersistentVolumeClaim posts-data"]


def test_what_an_earlier_pipeline_of_the_name_has_left_is_waited_for(posts):
    posts.reconcile()
    posts.body = resource(uid="u-2")

    plan = posts.plan()

    assert "is being deleted" in plan.waiting and plan.apply == ()


def test_a_spec_that_cannot_be_used_stops_everything_and_keeps_what_is_there(posts):
    posts.reconcile()
    posts.body["spec"]["schedule"] = {"cron": "0 0 30 2 *"}

    plan = posts.plan()

    assert plan.problem is not None and plan.problem.reason == "InvalidSpec"
    assert "spec.schedule.cron never comes" in plan.problem.message
    assert (plan.apply, plan.delete) == ((), ())
