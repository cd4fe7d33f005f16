"""The status of a pipeline. Pure: what is there and what was done in, the whole status out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from etl_operator.manifests import claim_name
from etl_operator.observed import Object, Observed, condition
from etl_operator.plan import Outcome, Plan, Problem
from etl_operator.pods import Cause, obstacle
from etl_operator.quantity import bytes_of
from etl_operator.resource import Resource, refusal
from etl_operator.runs import Record, key_of, rows_after
from etl_service.spec import next_times

Status = dict[str, Any]


def time_of(moment: datetime) -> str:
    """As Kubernetes writes it: UTC, in seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def status_of(
    resource: Resource,
    observed: Observed,
    plan: Plan,
    outcome: Outcome,
    runs: Sequence[Record],
    now: datetime,
) -> Status:
    """The status as it should be.

    Args:
        observed: with what was applied in it.
        runs: the newest first.
    """
    before = resource.status
    status: Status = {"observedGeneration": resource.generation}
    for field in ("lastRequestId", "lastRunAnnotation", "lastSuccessTime", "rows"):
        if field in before:
            status[field] = before[field]
    status |= {field: id for field, id, job in plan.handled if job is None or job in observed.children}
    if runs:
        status["lastRun"], status["recentRuns"] = runs[0], list(runs)
        succeeded = [run["endTime"] for run in runs if run["result"] == "Succeeded"]
        status["lastSuccessTime"] = max([*succeeded, status.get("lastSuccessTime", "")])
        if not status["lastSuccessTime"]:
            del status["lastSuccessTime"]
        if (rows := rows_after(observed, runs)) is not None:
            status["rows"] = rows
    if next_time := _next_time(resource, now):
        status["nextScheduleTime"] = next_time
        # Of the time while it was suspended, or on another schedule, a pipeline owes no success.
        earlier = before.get("nextScheduleTime")
        is_new = earlier is None or time_of(now) < earlier != next_time
        if since := time_of(now) if is_new else before.get("scheduledSince"):
            status["scheduledSince"] = since
    if volume := _volume(resource, observed):
        status["storage"] = volume
    status["conditions"] = _conditions(resource, observed, plan, outcome, runs, time_of(now))
    return status


def _next_time(resource: Resource, now: datetime) -> str | None:
    spec = resource.pipeline.spec if resource.pipeline else None
    if spec is None or spec.schedule is None or spec.suspend:
        return None
    moment = next(next_times(spec.schedule, now), None)
    return time_of(moment) if moment else None


def _volume(resource: Resource, observed: Observed) -> Status | None:
    if resource.pipeline is None:
        return dict(resource.status["storage"]) if "storage" in resource.status else None
    claim = _claim(resource, observed)
    if claim is None:
        return None
    state = claim.get("status") or {}
    capacity = (state.get("capacity") or {}).get("storage")
    return {
        "claim": claim["metadata"]["name"],
        "phase": state.get("phase", "Pending"),
        **({"capacity": capacity} if capacity else {}),
    }


def _conditions(
    resource: Resource,
    observed: Observed,
    plan: Plan,
    outcome: Outcome,
    runs: Sequence[Record],
    now: str,
) -> list[Status]:
    before = {one["type"]: one for one in resource.status.get("conditions", ())}

    def condition_of(type_: str, status: bool, reason: str, message: str) -> Status:
        text = str(status)
        earlier = before.get(type_)
        since = earlier["lastTransitionTime"] if earlier and earlier["status"] == text else now
        return {
            "type": type_,
            "status": text,
            "observedGeneration": resource.generation,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message[:32_000],
        }

    return [condition_of(*said) for said in _said(resource, observed, plan, outcome, runs)]


def _said(
    resource: Resource, observed: Observed, plan: Plan, outcome: Outcome, runs: Sequence[Record]
) -> Iterator[tuple[str, bool, str, str]]:
    refused = outcome.refused
    stalled = plan.problem or next((refused[ref] for ref in sorted(refused)), None) or _stuck(resource, observed)
    if stalled:
        yield "Ready", False, *stalled
        yield "Stalled", True, *stalled
    elif unready := [plan.waiting] if plan.waiting else list(_unready(resource, observed, outcome)):
        yield "Ready", False, "Progressing", "; ".join(unready)
        yield "Reconciling", True, "Progressing", "; ".join(unready)
    else:
        yield "Ready", True, "Available", "all is as the spec says"
    ended = next((run for run in runs if run["result"] not in ("Running", "Skipped")), None)
    if ended:
        yield (
            "RunSucceeded",
            ended["result"] == "Succeeded",
            str(ended.get("reason") or ended["result"]),
            in_words(ended),
        )
    else:
        earlier = next((one for one in resource.status.get("conditions", ()) if one["type"] == "RunSucceeded"), None)
        if earlier:
            yield "RunSucceeded", earlier["status"] == "True", earlier["reason"], earlier["message"]
    if resource.pipeline and resource.pipeline.spec.suspend:
        yield "Suspended", True, "Suspended", "no scheduled and no requested runs begin; set suspend: false to resume"


def in_words(run: Mapping[str, Any]) -> str:
    """How a run ended."""
    if "fetched" not in run:
        return str(run.get("message", run["result"].lower()))
    said = (("inserted", "new"), ("updated", "changed"), ("unchanged", "the same"), ("rejected", "rejected"))
    counts = ", ".join(f"{run[name]} {word}" for name, word in said if run[name])
    fetched = f"{run['fetched']} fetched" + (f": {counts}" if counts else "")
    return fetched if run["result"] == "Succeeded" else f"{run.get('message', run['result'].lower())} ({fetched})"


def _stuck(resource: Resource, observed: Observed) -> Problem | None:
    """What does not come right by waiting."""
    claim = _claim(resource, observed)
    if claim and (claim.get("status") or {}).get("phase") == "Lost":
        return Problem("VolumeLost", f"the volume of {claim['metadata']['name']} is gone; restore it from a backup")
    for deployment in filter(resource.owns, observed.of_kind("Deployment")):
        conditions = (deployment.get("status") or {}).get("conditions") or ()
        if not _is_changing(deployment) and any(
            one["type"] == "Progressing" and one["status"] == "False" for one in conditions
        ):
            component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
            cause = _obstacle(observed, component) or Cause("", "its pods do not get ready; see their logs")
            return Problem(f"{component.capitalize()}Unavailable", f"the {component} does not start: {cause.message}")
    return None


def _unready(resource: Resource, observed: Observed, outcome: Outcome) -> Iterator[str]:
    """What is still on its way."""
    if outcome.delayed:
        yield outcome.delayed
    for deployment in filter(resource.owns, observed.of_kind("Deployment")):
        component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
        wanted, state = deployment["spec"]["replicas"], deployment.get("status") or {}
        if not wanted and "observedGeneration" not in state:
            continue  # it is new, and nothing of it is to come
        if _is_changing(deployment):
            yield f"the {component} is being changed"
        elif not all(state.get(f"{kind}eplicas", 0) == wanted for kind in ("r", "updatedR", "availableR")):
            cause = _obstacle(observed, component)
            ready = f"{state.get('availableReplicas', 0)} of {wanted} pods available"
            yield f"the {component} has {ready}" + (f": {cause.message}" if cause else "")
    claim = _claim(resource, observed)
    if claim and (capacity := ((claim.get("status") or {}).get("capacity") or {}).get("storage")):
        wanted = claim["spec"]["resources"]["requests"]["storage"]
        if bytes_of(capacity) < bytes_of(wanted):
            yield f"the volume grows from {capacity} to {wanted}"


def _is_changing(deployment: Object) -> bool:
    """Whether its status does not speak of its spec yet."""
    seen = (deployment.get("status") or {}).get("observedGeneration", 0)
    return bool(seen < deployment["metadata"]["generation"])


def _claim(resource: Resource, observed: Observed) -> Object | None:
    """The volume's, where one is used."""
    if resource.pipeline is None or resource.pipeline.spec.load.postgres:
        return None
    return observed.get("PersistentVolumeClaim", claim_name(resource.name))


def _obstacle(observed: Observed, component: str) -> Cause | None:
    return next(filter(None, map(obstacle, observed.pods_with(component))), None)


def events(resource: Resource, status: Status) -> Iterator[tuple[str, str, str]]:
    """What is worth telling of the change: type, reason and message. Nothing is told twice."""
    before, after = resource.status, status
    was, is_ = _condition(before, "Stalled"), _condition(after, "Stalled")
    if is_ and (was is None or _occasion(was) != _occasion(is_)):
        yield "Warning", is_["reason"], is_["message"]
    if not is_ and was:
        yield "Normal", "Recovered", "the spec can be used again"
    asked = after.get("lastRunAnnotation", "")
    if asked != before.get("lastRunAnnotation") and (wrong := refusal(asked)):
        yield "Warning", "RunRefused", wrong
    known = {key_of(run): run["result"] for run in before.get("recentRuns", ())}
    for run in reversed(after.get("recentRuns", ())):
        name = run.get("requestId") or run["id"]
        if run["result"] == known.get(key_of(run)):
            continue
        if run["result"] == "Running":
            yield "Normal", "RunStarted", f"run {name} has begun" + (f" as Job {run['job']}" if "job" in run else "")
        else:
            kind = "Normal" if run["result"] in ("Succeeded", "Skipped") else "Warning"
            yield kind, f"Run{run['result']}", f"run {name}: {in_words(run)}"
    if "storage" in before and "storage" not in after and resource.pipeline:
        claim = before["storage"]["claim"]
        yield (
            "Warning",
            "StoreChanged",
            f"rows now go to PostgreSQL; the SQLite database stays on PersistentVolumeClaim {claim}, "
            "and what it holds is not moved by itself",
        )


def _occasion(condition: Object) -> tuple[str, int]:
    """What makes a trouble another one: its message may change with each attempt of the kubelet."""
    return condition["reason"], condition["observedGeneration"]


def _condition(status: Mapping[str, Any], type_: str) -> Object | None:
    return condition({"status": status}, type_)
