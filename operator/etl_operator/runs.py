"""What Jobs say of runs, in the terms of the status. Pure: Jobs, pods and what was known before in, records out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etl_operator.kinds import REQUEST_ANNOTATION, TRIGGER_LABEL
from etl_operator.manifests.run import KEPT, MEMORY
from etl_operator.observed import Object, Observed, condition
from etl_operator.partitions import index_of, is_divided, progress, suspects
from etl_operator.pods import Cause, cause_of_death, obstacle, report_of
from etl_operator.resource import Resource

Record = dict[str, Any]

_RESULTS = {
    "succeeded": "Succeeded",
    "failed": "Failed",
    "interrupted": "Interrupted",
    "cancelled": "Cancelled",
    "running": "Interrupted",  # its last words were said before it ended
}
COUNTS = ("fetched", "inserted", "updated", "unchanged", "rejected", "skipped", "deleted")


def recent_runs(resource: Resource, observed: Observed, now: str) -> list[Record]:
    """The last runs, the newest first: of the Jobs that are there, of the service's history, and of the status."""
    known = {key_of(record): dict(record) for record in resource.status.get("recentRuns", ())}
    jobs = {
        job["metadata"]["name"]: job
        for job in observed.of_kind("Job")
        if is_run(job) and not resource.is_left_over(job)
    }
    for name, job in jobs.items():
        known[name] = _record(job, observed, known.get(name))
    told = {run["id"]: _told(run) for run in observed.history or ()}
    known |= told
    for name, record in known.items():
        if record["result"] == "Running" and name not in jobs and name not in told:
            if "job" in record:
                gone = "its Job was deleted while it ran; ask for another run"
                record |= {"result": "Interrupted", "reason": "JobDeleted", "message": gone, "endTime": now}
            elif observed.history is not None or not resource.is_serving:
                gone = "its service has gone, or knows nothing of it any more"
                record |= {"result": "Interrupted", "reason": "ServiceGone", "message": gone, "endTime": now}
    return sorted(known.values(), key=lambda record: (record["startTime"], key_of(record)), reverse=True)[:KEPT]


def key_of(record: Mapping[str, Any]) -> str:
    """By which a run is known: its Job, or its id where it was not asked for on the cluster."""
    return str(record.get("job") or record["id"])


#: Triggers of runs that Jobs carry out; the others are begun in the service's pod.
OF_JOBS = ("request", "schedule")


def _told(run: Mapping[str, Any]) -> Record:
    """A run record of the engine in the status' terms."""
    times = {"startTime": run["started_at"], "endTime": run["ended_at"]}
    record: Record = {name: f"{time[:19]}Z" for name, time in times.items() if time}
    record["trigger"] = run["trigger"]
    if run["request_id"]:
        record["requestId"] = run["request_id"]
    if run["status"] == "running":
        return record | {"id": run["id"], "result": "Running"}
    return record | dict(_reported({"run": run}))


def rows_after(observed: Observed, runs: Sequence[Record]) -> int | None:
    """How many rows the table has, as far as the last run tells."""
    ended = next((run for run in runs if run["result"] not in ("Running", "Skipped")), None)
    if ended is None or "job" not in ended:
        return observed.rows if ended else None
    told = ((report_of(pod) or {}).get("rows") for pod in observed.pods_of(ended["job"]))
    return next((int(rows) for rows in told if rows is not None), None)


def lost(runs: Sequence[Record]) -> list[Record]:
    """Runs that have ended and could not say themselves what became of them, as the engine's history takes them."""
    return [
        {
            "request_id": record["requestId"],
            "trigger": record["trigger"],
            "started_at": record["startTime"],
            "ended_at": record["endTime"],
            "reason": record["reason"],
            "message": record["message"],
        }
        for record in runs
        if record["result"] in ("Failed", "Interrupted") and "id" not in record and record["reason"] not in _NO_RUN
    ]


#: Reasons for which there is nothing to tell the history.
_NO_RUN = ("InvalidSpec",)


def is_run(job: Object) -> bool:
    return TRIGGER_LABEL in _labels(job)


def is_finished(job: Object) -> bool:
    return bool(condition(job, "Complete") or condition(job, "Failed"))


def _record(job: Object, observed: Observed, before: Record | None) -> Record:
    metadata, status = job["metadata"], job.get("status") or {}
    name, pods = metadata["name"], observed.pods_of(metadata["name"])
    record: Record = {
        "job": name,
        "requestId": (metadata.get("annotations") or {}).get(REQUEST_ANNOTATION, name),
        "trigger": _labels(job)[TRIGGER_LABEL],
        "startTime": status.get("startTime") or metadata["creationTimestamp"],
        "result": "Running",
    }
    if is_divided(job):
        record["partitions"] = progress(job)
    report, failed = _last_words(job, pods), condition(job, "Failed")
    if condition(job, "Complete"):
        record["endTime"] = status.get("completionTime") or record["startTime"]
        record["result"] = "Succeeded"
    elif failed:
        record["endTime"] = failed["lastTransitionTime"]
        record["result"] = "Interrupted"
    else:
        return record | _as_fields(_trouble(job, pods) if pods else _known(before))
    if report:
        return record | dict(_reported(report))
    if before and before["result"] != "Running":  # its pods have gone since
        return before
    return record | (_as_fields(_cause(failed, job, pods, before)) if failed else {})


def _last_words(job: Object, pods: Sequence[Object]) -> Mapping[str, Any] | None:
    """Those that tell how the run has ended: the newest pod's, or of a run in partitions those of any pod.

    There a worker ends well only where others have partitions left, or the run has succeeded. So a complete Job has
    succeeded, though the pod that merged may be gone with its node, and the words of all others say "running".
    """
    if not is_divided(job):
        return report_of(pods[0]) if pods else None
    of_runs = [report for pod in pods if "run" in (report := report_of(pod) or {})]
    if of_runs:
        return next((report for report in of_runs if report["run"]["status"] != "running"), None)
    return next(filter(None, map(report_of, suspects(job, pods))), None)


def _reported(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if run := report.get("run"):
        yield "id", run["id"]
        yield "result", _RESULTS[run["status"]]
        yield from ((name, run.get("counts", {}).get(name, 0)) for name in COUNTS)
        yield from ((name, run[name]) for name in ("reason", "message") if run.get(name))
        return
    refusal = report["refusal"]
    yield "result", "Skipped" if refusal["reason"] in ("Busy", "Suspended") else "Failed"
    yield "reason", refusal["reason"]
    yield "message", refusal["message"]


def _trouble(job: Object, pods: Sequence[Object]) -> Cause | None:
    """What a run under way is up against, and which of its partitions is."""
    for pod in suspects(job, pods) if is_divided(job) else pods:
        index = index_of(pod) if is_divided(job) else None
        if found := obstacle(pod) or cause_of_death(pod, memory=_memory(pod)):
            return found if index is None else Cause(found.reason, f"partition {index}: {found.message}")
        if found := _failed_attempt(pod, index):
            return found
    return None


def _failed_attempt(pod: Object, index: str | None) -> Cause | None:
    """What an attempt has said of itself, where it failed."""
    report = report_of(pod) or {}
    for partition in report.get("run", {}).get("partitions") or ():
        if partition["status"] in ("failed", "interrupted") and partition.get("reason"):
            where = f"partition {index} ({partition['name']})"
            return Cause(partition["reason"], f"{where}: an attempt failed: {partition['message']}")
    said = dict(_reported(report)) if report else {}
    if "reason" not in said:
        return None
    where = "" if index is None else f"partition {index}: "
    return Cause(said["reason"], f"{where}an attempt failed: {said['message']}")


def _cause(failed: Object, job: Object, pods: Sequence[Object], before: Record | None) -> Cause:
    """Why a Job failed whose run left no last words."""
    known = _trouble(job, pods) or _known(before)
    if failed.get("reason") != "DeadlineExceeded":
        return known or Cause(failed.get("reason") or "JobFailed", failed.get("message") or "its Job failed")
    if known and known.reason in ("Unschedulable", "ImagePullFailed"):
        ended = "end" if is_divided(job) else "begin"
        return Cause(known.reason, f"it did not {ended} within its deadline: {known.message}")
    return Cause("DeadlineExceeded", "it did not end within its deadline; raise run.deadline, or make the run smaller")


def _known(before: Record | None) -> Cause | None:
    """What it was up against when there were pods of it."""
    return Cause(before["reason"], before["message"]) if before and "reason" in before else None


def _memory(pod: Object) -> str:
    containers: list[Object] = (pod.get("spec") or {}).get("containers") or [{}]
    limits = (containers[0].get("resources") or {}).get("limits") or {}
    return str(limits.get("memory", MEMORY))


def _as_fields(cause: Cause | None) -> Record:
    return {"reason": cause.reason, "message": cause.message[:1000]} if cause else {}


def _labels(of: Object) -> Mapping[str, str]:
    return of["metadata"].get("labels") or {}
