"""Runs that are divided among the pods of an Indexed Job: how far one is, and whose word counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl_operator.observed import Object

_INDEX = "batch.kubernetes.io/job-completion-index"


def is_divided(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def progress(job: Object) -> dict[str, Any]:
    """How many partitions a run has, and which are complete or have failed for good, as the Job's status tells it."""
    status = job.get("status") or {}
    told = {"completed": status.get("completedIndexes"), "failed": status.get("failedIndexes")}
    return {"count": job["spec"]["completions"], **{name: indexes for name, indexes in told.items() if indexes}}


def index_of(pod: Object) -> str | None:
    """The index of a pod's partition; None where it has none."""
    index: str | None = (pod["metadata"].get("annotations") or {}).get(_INDEX)
    return index


def suspects(job: Object, pods: Sequence[Object]) -> list[Object]:
    """The pods whose trouble is the run's: of partitions that failed for good, else of those that are not complete.

    What is being deleted comes last: when a Job fails, its other pods are told to stop.
    """
    status = job.get("status") or {}
    failed = _indexes(status.get("failedIndexes"))
    complete = {index_of(pod) for pod in pods if (pod.get("status") or {}).get("phase") == "Succeeded"}
    complete |= _indexes(status.get("completedIndexes"))
    found = [pod for pod in pods if (index_of(pod) in failed if failed else index_of(pod) not in complete)]
    return sorted(found, key=lambda pod: "deletionTimestamp" in pod["metadata"])


def _indexes(text: str | None) -> set[str | None]:
    """Of ``0-2,7``: those of 0, 1, 2 and 7."""
    found: set[str | None] = set()
    for part in filter(None, (text or "").split(",")):
        first, _, last = part.partition("-")
        found |= {str(index) for index in range(int(first), int(last or first) + 1)}
    return found
