"""What the cluster lacks of a pipeline, and what it has too much. Pure: decides, and does nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from etl_operator.drift import is_in_place, marked
from etl_operator.kinds import PIPELINE_LABEL, Manifest, Ref, ref_of
from etl_operator.manifests import Given, children, claim, claim_name, lost_runs, request_job
from etl_operator.observed import Object, Observed, condition, is_owner
from etl_operator.resource import Resource, refusal
from etl_operator.runs import Record, is_finished, is_run, lost
from etl_operator.settings import Settings


class Problem(NamedTuple):
    """Why the pipeline cannot be kept as it is written, until somebody does something about it."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    apply: Sequence[Manifest] = ()
    delete: Sequence[Ref] = ()
    end: Sequence[Manifest] = ()  #: the one field that ends something, such as a finished Job's time to live
    #: The status' field, the id, and the Job that has to be there first; none where the id is refused.
    handled: Sequence[tuple[str, str, Ref | None]] = ()
    problem: Problem | None = None
    waiting: str = ""  #: for what, before anything can be done


@dataclass(frozen=True, slots=True)
class Outcome:
    """What of a plan was not done."""

    refused: Mapping[Ref, Problem] = field(default_factory=dict)  #: for good, as it is written
    delayed: str = ""  #: for now, and why


def plan(resource: Resource, observed: Observed, runs: Sequence[Record], settings: Settings) -> Plan:
    """What is to be done.

    Args:
        runs: as the status will have them.
    """
    if resource.pipeline is None:
        return Plan(problem=Problem("InvalidSpec", resource.problem))
    if any(map(resource.is_left_over, observed.children.values())):
        return Plan(waiting="what an earlier pipeline of this name has left is being deleted")
    given = Given(resource, resource.pipeline, settings)
    requests = {} if given.spec.suspend else resource.requests
    # Last: their pods want the rest. One that is there is as it was made; nothing of it can change.
    jobs = {id: request_job(given, id) for id in sorted(set(requests.values())) if not refusal(id)}
    lasting = [*_volume(given, observed), *children(given)]
    if unheard := lost(runs):
        lasting.append(lost_runs(given, unheard))
    wanted = {ref_of(child): child for child in (*lasting, *jobs.values())}
    there = (observed.children[ref] for ref in wanted if ref in observed.children)
    if problem := next(filter(None, (taken(child, resource) for child in there)), None):
        return Plan(problem=problem)
    unwritten = _unwritten(resource, observed, runs)
    delete = [
        ref
        for ref, child in sorted(observed.children.items())
        if ref not in wanted and _is_disposable(ref, child, resource, unwritten)
    ]
    return Plan(
        apply=[
            *(child for child in map(marked, lasting) if not _is_there(child, observed)),
            *(marked(job) for job in jobs.values() if ref_of(job) not in observed.children),
        ],
        delete=delete,
        end=[*_expired(given, observed, unwritten), *_ending_schedules(given, observed, delete)],
        handled=[(field, id, ref_of(jobs[id]) if id in jobs else None) for field, id in requests.items()],
    )


def _volume(given: Given, observed: Observed) -> list[Manifest]:
    existing = observed.get("PersistentVolumeClaim", claim_name(given.resource.name))
    return [claim(given, existing)] if given.uses_volume else []


def taken(child: Object, resource: Resource) -> Problem | None:
    """What to say of an object that has a child's name and is somebody else's; nothing where it is not.

    A volume is known by its label, since it outlives pipelines.
    """
    kind, metadata = child["kind"], child["metadata"]
    labelled = (metadata.get("labels") or {}).get(PIPELINE_LABEL) == resource.name
    if resource.owns(child) or (kind == "PersistentVolumeClaim" and labelled):
        return None
    there = f"there is a {kind} {metadata['name']} that is not this pipeline's"
    if kind == "PersistentVolumeClaim":
        return Problem("VolumeNotOurs", f"{there}; label it {PIPELINE_LABEL}={resource.name} to adopt it, or delete it")
    return Problem("NameTaken", f"{there}; delete it, or give the pipeline another name")


def _is_there(child: Manifest, observed: Observed) -> bool:
    actual = observed.children.get(ref_of(child))
    return actual is not None and is_in_place(child, actual)


def _unwritten(resource: Resource, observed: Observed, runs: Sequence[Record]) -> list[Object]:
    """Jobs whose result the status does not hold yet: until it does, they have to stay."""
    written = {run.get("job") for run in resource.status.get("recentRuns", ()) if run["result"] != "Running"}
    names = {run.get("job") for run in runs} - written
    return [job for job in observed.of_kind("Job") if job["metadata"]["name"] in names]


def _is_disposable(ref: Ref, child: Object, resource: Resource, unwritten: Sequence[Object]) -> bool:
    """What holds neither data nor history, and is the pipeline's own."""
    if ref.kind in ("PersistentVolumeClaim", "Job", "Pod") or not resource.owns(child):
        return False
    if ref.kind == "ConfigMap" and ref.name.endswith("-lost-runs"):
        return False  # what it tells may not have been read yet
    # A CronJob's Jobs go with it.
    return not (child.get("status") or {}).get("active") and not any(is_owner(child, of=job) for job in unwritten)


def _ending_schedules(given: Given, observed: Observed, deleted: Collection[Ref]) -> Iterator[Manifest]:
    """Those that are no longer wanted and cannot go yet: the run that they have is let end, and no other begins."""
    for schedule in filter(given.resource.owns, observed.of_kind("CronJob")):
        if not given.spec.schedule and not schedule["spec"].get("suspend") and ref_of(schedule) not in deleted:
            yield _part(schedule, {"suspend": True})


def _expired(given: Given, observed: Observed, unwritten: Sequence[Object]) -> Iterator[Manifest]:
    """Finished Jobs beyond as many as are kept; the status must hold the result of each first."""
    left = {True: given.spec.history.successful, False: given.spec.history.failed}
    jobs = [job for job in observed.of_kind("Job") if is_run(job) and is_finished(job)]
    for job in sorted(jobs, key=lambda job: str(job["metadata"]["creationTimestamp"]), reverse=True):
        succeeded = condition(job, "Complete") is not None
        left[succeeded] -= 1
        if left[succeeded] < 0 and job not in unwritten and "ttlSecondsAfterFinished" not in job["spec"]:
            yield _part(job, {"ttlSecondsAfterFinished": _LINGER})


#: How long a Job that nobody needs any more stays, in seconds.
_LINGER = 60


def _part(of: Object, spec: Manifest) -> Manifest:
    """With its uid: what is gone meanwhile is not made again."""
    metadata = {name: of["metadata"][name] for name in ("name", "namespace", "uid")}
    return {"apiVersion": of["apiVersion"], "kind": of["kind"], "metadata": metadata, "spec": spec}
