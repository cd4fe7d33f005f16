"""What the cluster lacks of a pipeline, and what it has too much. Pure: decides, and does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from etl_operator.drift import is_in_place, marked
from etl_operator.kinds import KIND, PIPELINE_LABEL, Manifest, Ref, ref_of
from etl_operator.manifests import Given, children, claim, claim_name, lost_runs, request_job
from etl_operator.observed import Object, Observed, condition
from etl_operator.resource import Resource, refusal
from etl_operator.runs import Record, is_finished, lost
from etl_operator.settings import Settings


class Problem(NamedTuple):
    """Why the pipeline cannot be kept as it is written, until somebody does something about it."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    apply: Sequence[Manifest] = ()
    delete: Sequence[Ref] = ()
    expire: Sequence[str] = ()  #: Jobs whose result is known and that nobody needs any more
    handled: Sequence[tuple[str, str]] = ()  #: the status' field, and the id whose Job is there once all is applied
    problem: Problem | None = None
    waiting: str = ""  #: for what, before anything can be done


def plan(resource: Resource, observed: Observed, runs: Sequence[Record], settings: Settings) -> Plan:
    """What is to be done.

    Args:
        runs: as the status will have them.
    """
    if resource.pipeline is None:
        return Plan(problem=Problem("InvalidSpec", resource.problem))
    given = Given(resource, resource.pipeline, settings)
    if problem := next(filter(None, (taken(child, resource) for child in observed.children.values())), None):
        return Plan(problem=problem)
    if any(_is_left_over(child, resource) for child in observed.children.values()):
        return Plan(waiting="what an earlier pipeline of this name has left is being deleted")
    requests = {} if given.spec.suspend else resource.requests
    wanted = [*_volume(given, observed), *children(given)]
    kept = {ref_of(child) for child in wanted}
    if unheard := lost(runs):
        wanted.append(lost_runs(given, unheard))
    # Last: their pods want the rest. One that is there is as it was made; nothing of it can change.
    wanted += [
        job
        for id in sorted(set(requests.values()))
        if not refusal(id) and not observed.children.get(ref_of(job := request_job(given, id)))
    ]
    return Plan(
        apply=[child for child in map(marked, wanted) if not _is_there(child, observed)],
        delete=[
            ref
            for ref, child in sorted(observed.children.items())
            if ref not in kept and _is_disposable(ref, child, resource)
        ],
        expire=list(_expired(given, observed, runs)),
        handled=tuple(requests.items()),
    )


def _volume(given: Given, observed: Observed) -> list[Manifest]:
    existing = observed.get("PersistentVolumeClaim", claim_name(given.resource.name))
    return [claim(given, existing)] if given.uses_volume else []


def taken(child: Object, resource: Resource) -> Problem | None:
    """What to say of an object that has a child's name and is somebody else's; nothing where it is not.

    A volume is known by its label, since it outlives pipelines; the rest by label and owner.
    """
    kind, metadata = child["kind"], child["metadata"]
    labelled = (metadata.get("labels") or {}).get(PIPELINE_LABEL) == resource.name
    if labelled and (kind in ("PersistentVolumeClaim", "Pod") or metadata.get("ownerReferences")):
        return None
    there = f"there is a {kind} {metadata['name']} that is not this pipeline's"
    if kind == "PersistentVolumeClaim":
        return Problem("VolumeNotOurs", f"{there}; label it {PIPELINE_LABEL}={resource.name} to adopt it, or delete it")
    return Problem("NameTaken", f"{there}; delete it, or give the pipeline another name")


def _is_left_over(child: Object, resource: Resource) -> bool:
    owners = [owner for owner in child["metadata"].get("ownerReferences", ()) if owner["kind"] == KIND]
    return bool(owners) and not resource.owns(child)


def _is_there(child: Manifest, observed: Observed) -> bool:
    actual = observed.children.get(ref_of(child))
    return actual is not None and is_in_place(child, actual)


def _is_disposable(ref: Ref, child: Object, resource: Resource) -> bool:
    """What holds neither data nor history, and is the pipeline's own."""
    if ref.kind in ("PersistentVolumeClaim", "Job", "Pod") or not resource.owns(child):
        return False
    if ref.kind == "ConfigMap" and ref.name.endswith("-lost-runs"):
        return False  # what it tells may not have been read yet
    # A scheduled run that is under way would go with its CronJob.
    return not (ref.kind == "CronJob" and (child.get("status") or {}).get("active"))


def _expired(given: Given, observed: Observed, runs: Sequence[Record]) -> list[str]:
    """Finished Jobs of requests, beyond as many as are kept; the status must hold the result of each first."""
    unwritten = {run["job"] for run in runs} - {
        run["job"] for run in given.resource.status.get("recentRuns", ()) if run["result"] != "Running"
    }
    left = {True: given.spec.history.successful, False: given.spec.history.failed}
    expired = []
    jobs = [job for job in observed.of_kind("Job") if is_finished(job) and given.resource.owns(job)]
    for job in sorted(jobs, key=lambda job: str(job["metadata"]["creationTimestamp"]), reverse=True):
        succeeded = condition(job, "Complete") is not None
        left[succeeded] -= 1
        name = job["metadata"]["name"]
        if left[succeeded] < 0 and name not in unwritten and "ttlSecondsAfterFinished" not in job["spec"]:
            expired.append(name)
    return expired
