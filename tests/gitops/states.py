"""An EtlPipeline as Argo CD and Flux meet it, in every state: where it can be, as the operator itself writes it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from etl_operator.kinds import Ref
from etl_operator.plan import Outcome, Problem
from operator_tests.cluster_state import State, resource

#: What the API server gives a pipeline that no operator has seen: the schema's default.
UNSEEN = {"observedGeneration": -1}
DELETING = "2026-03-01T12:00:00Z"


def ready(**spec: Any) -> State:
    state = State(resource(spec))
    state.reconcile()
    return state


def invalid() -> State:
    return ready(schedule={"cron": "0 25 * * *"})


def coming_up() -> State:
    state = ready()
    state.get("Deployment", "posts-service")["status"]["availableReplicas"] = 0
    state.reconcile()
    return state


def unavailable() -> State:
    state = ready()
    state.get("Deployment", "posts-service")["status"] |= {
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    }
    state.reconcile()
    return state


def taken(kind: str, name: str) -> State:
    """Something of somebody else has the name of a child."""
    state = ready()
    child = state.get(kind, name)
    child["metadata"] |= {"ownerReferences": [], "labels": {}}
    state.reconcile()
    return state


def volume_lost() -> State:
    state = ready()
    state.get("PersistentVolumeClaim", "posts-data")["status"] = {"phase": "Lost"}
    state.reconcile()
    return state


def volume_growing() -> State:
    state = ready(storage={"size": "2Gi"})
    state.get("PersistentVolumeClaim", "posts-data")["status"]["capacity"] = {"storage": "1Gi"}
    state.reconcile()
    return state


def after(outcome: Outcome) -> State:
    """What was planned could not all be done."""
    state = State(resource())
    state.reconcile(outcome)
    return state


def refused(reason: str, message: str) -> State:
    return after(Outcome(refused={Ref("Deployment", "posts-service"): Problem(reason, message)}))


def left_over() -> State:
    """What an earlier pipeline of the name had is not gone yet."""
    state = ready()
    state.body["metadata"]["uid"] = "u-2"
    state.reconcile()
    return state


def requested(**spec: Any) -> State:
    return ready(run={"requestId": "one"}, **spec)


def run_once(well: bool) -> State:
    state = requested()
    run = {"id": "r-1", "status": "succeeded", "counts": {"fetched": 3, "inserted": 3}}
    if not well:
        run |= {"status": "failed", "reason": "HttpError", "message": "the source answers 404"}
    state.end(state.jobs()[0], well=well, report=json.dumps({"run": run}))
    state.reconcile()
    return state


def changed(state: State, **spec: Any) -> State:
    """The spec is another, and the operator has not looked yet."""
    state.body["metadata"]["generation"] += 1
    state.body["spec"] |= spec
    return state


def deleted(state: State) -> State:
    state.body["metadata"]["deletionTimestamp"] = DELETING
    return state


def mended() -> State:
    state = changed(invalid(), schedule={"cron": "0 3 * * *"})
    state.reconcile()
    return state


def told(*conditions: tuple[str, str], **status: Any) -> State:
    """A status that this operator would not write, and that the schema admits."""
    state = State(resource())
    said = [{"type": type_, "status": value, "reason": "R", "message": "m"} for type_, value in conditions]
    state.body["status"] = {"observedGeneration": 1, "conditions": said, **status}
    return state


def without_status() -> State:
    return State(resource())


def unseen() -> State:
    state = State(resource())
    state.body["status"] = dict(UNSEEN)
    return state


STATES: dict[str, tuple[str, State]] = {
    "new": ("Progressing", unseen()),
    "new and invalid": ("Progressing", changed(unseen(), schedule={"cron": "0 25 * * *"})),
    "ready": ("Healthy", ready()),
    "ready and suspended": ("Healthy", ready(suspend=True)),
    "scaled to nothing": ("Healthy", ready(service={"replicas": 0}, frontend={"replicas": 0})),
    "a run is asked for": ("Healthy", requested()),
    "the last run succeeded": ("Healthy", run_once(well=True)),
    "the last run failed": ("Healthy", run_once(well=False)),
    "pods are missing": ("Progressing", coming_up()),
    "the volume grows": ("Progressing", volume_growing()),
    "the API server is busy": ("Progressing", after(Outcome(delayed="the API server does not answer"))),
    "an earlier one is being deleted": ("Progressing", left_over()),
    "changed and not seen yet": ("Progressing", changed(ready(), suspend=True)),
    "changed after a failed run": ("Progressing", changed(run_once(well=False), suspend=True)),
    "invalid": ("Degraded", invalid()),
    "invalid and not seen since": ("Progressing", changed(invalid(), schedule={"cron": "0 3 * * *"})),
    "mended": ("Healthy", mended()),
    "the service does not start": ("Degraded", unavailable()),
    "the volume is another's": ("Degraded", taken("PersistentVolumeClaim", "posts-data")),
    "a name is taken": ("Degraded", taken("Service", "posts-service")),
    "the volume is lost": ("Degraded", volume_lost()),
    "a child is invalid": ("Degraded", refused("ChildInvalid", "spec.template: Invalid value")),
    "a quota is in the way": ("Degraded", refused("Forbidden", "exceeded quota")),
    "deleted": ("Progressing", deleted(ready())),
    "deleted while invalid": ("Progressing", deleted(invalid())),
    "deleted before it was seen": ("Progressing", deleted(unseen())),
    "Ready is unknown": ("Progressing", told(("Ready", "Unknown"))),
    "Ready is False and nothing else": ("Progressing", told(("Ready", "False"))),
    "Stalled is False": ("Healthy", told(("Ready", "True"), ("Stalled", "False"), ("Reconciling", "False"))),
    "conditions of others": ("Healthy", told(("Degraded", "True"), ("Ready", "True"), ("Failed", "Unknown"))),
    "fields of others": ("Healthy", told(("Ready", "True"), phase="Failed", health={"status": "Degraded"})),
    # The schema's default sees to it that no pipeline is met without a status.
    "no conditions": ("Healthy", told()),
    "no status": ("Healthy", without_status()),
}


def combinations() -> Iterator[dict[str, Any]]:
    """Every status that the verdict could depend on, written by the operator or not."""
    values = (None, "True", "False", "Unknown")
    for deleting, observed, orders in itertools.product((False, True), (None, -1, 1, 2), (1, -1)):
        for ready_, reconciling, stalled in itertools.product(values, repeat=3):
            said = (("Ready", ready_), ("Reconciling", reconciling), ("Stalled", stalled))[::orders]
            state = told(*((type_, value) for type_, value in said if value is not None))
            state.body["metadata"] |= {"generation": 2} | ({"deletionTimestamp": DELETING} if deleting else {})
            state.body["status"] |= {"observedGeneration": observed}
            if observed is None:
                del state.body["status"]["observedGeneration"]
            yield state.body
