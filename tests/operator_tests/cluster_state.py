"""A cluster in memory: what has been applied is there, as a real one would have it."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from etl_operator.kinds import Ref, ref_of
from etl_operator.observed import Observed
from etl_operator.plan import Outcome, Plan, plan
from etl_operator.resource import Resource, read_resource
from etl_operator.runs import recent_runs
from etl_operator.settings import Settings
from etl_operator.status import Status, events, status_of, time_of

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
SETTINGS = Settings(service_image="etl/service:1", frontend_image="etl/frontend:1")


def resource(spec: Mapping[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    usual = {"extract": {"url": "https://api.example.com/posts"}, "load": {"table": "posts", "key": ["id"]}}
    return {
        "apiVersion": "etlpipeline.dev/v1alpha1",
        "kind": "EtlPipeline",
        "metadata": {"name": "posts", "namespace": "team", "uid": "u-1", "generation": 1, **metadata},
        "spec": usual | dict(spec or {}),
    }


#: All that was planned was done.
ALL_DONE = Outcome()


class State:
    """A pipeline and its children; each `reconcile` is one look of the operator."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.children: dict[Ref, dict[str, Any]] = {}
        self.history: list[dict[str, Any]] | None = None
        self.rows: int | None = None
        self.told: list[tuple[str, str, str]] = []

    @property
    def resource(self) -> Resource:
        return read_resource(self.body)

    @property
    def status(self) -> Status:
        found: Status = self.body.get("status", {})
        return found

    def plan(self) -> Plan:
        return plan(self.resource, self.observed, self.runs(), SETTINGS)

    def runs(self) -> list[dict[str, Any]]:
        return recent_runs(self.resource, self.observed, time_of(NOW))

    @property
    def observed(self) -> Observed:
        return Observed(self.children, self.history, self.rows)

    def reconcile(self, outcome: Outcome = ALL_DONE, without: Collection[str] = ()) -> Plan:
        """One look, after which what is applied is there, but for the kinds of ``without``."""
        decided = self.plan()
        for manifest in decided.apply:
            if manifest["kind"] not in without:
                self.put(manifest)
        for ref in decided.delete:
            del self.children[ref]
        for part in decided.end:
            self.children[ref_of(part)]["spec"] |= part["spec"]
        status = status_of(self.resource, self.observed, decided, outcome, self.runs(), NOW)
        self.told += events(self.resource, status)
        self.body["status"] = status
        return decided

    def put(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """As if the API server had taken it, and its controllers had seen to it."""
        child = copy.deepcopy(dict(manifest))
        child["metadata"].setdefault("creationTimestamp", time_of(NOW))
        child["metadata"] |= {"generation": 1, "uid": f"uid-of-{child['kind']}-{child['metadata']['name']}"}
        if child["kind"] == "Deployment":
            replicas = child["spec"]["replicas"]
            counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas) if replicas else {}
            child["status"] = {"observedGeneration": 1, **counts}
        if child["kind"] == "PersistentVolumeClaim":
            size = child["spec"]["resources"]["requests"]["storage"]
            child["status"] = {"phase": "Bound", "capacity": {"storage": size}}
        self.children[ref_of(child)] = child
        return child

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self.children[Ref(kind, name)]

    def request(self, id: str) -> None:
        self.body["metadata"].setdefault("annotations", {})["etlpipeline.dev/run"] = id

    def jobs(self) -> list[dict[str, Any]]:
        return [child for ref, child in self.children.items() if ref.kind == "Job"]

    def end(self, job: Mapping[str, Any], *, well: bool = True, report: str = "", **pod: Any) -> None:
        """End a Job, whose pod ends so."""
        self.pod(job, report=report, **{"phase": "Succeeded" if well else "Failed", **pod})
        self.finish(job, well=well)

    def finish(self, job: Mapping[str, Any], *, well: bool = True, **status: Any) -> None:
        """End a Job whose pods are there, or are gone."""
        condition = {"type": "Complete" if well else "Failed", "status": "True", "lastTransitionTime": time_of(NOW)}
        self.children[ref_of(job)]["status"] = {
            "startTime": time_of(NOW),
            **({"completionTime": time_of(NOW)} if well else {}),
            "conditions": [condition | ({} if well else {"reason": "BackoffLimitExceeded", "message": "too often"})],
            **status,
        }

    def pod(
        self,
        job: Mapping[str, Any],
        *,
        report: str = "",
        died_of: str = "",
        index: int | None = None,
        attempt: int = 0,
        **status: Any,
    ) -> dict[str, Any]:
        """Put a pod of a Job that has ended; of an index's, the one with the greatest attempt is the newest."""
        name = job["metadata"]["name"]
        ended = {"exitCode": 0 if status.get("phase") == "Succeeded" else 1, "message": report, "reason": died_of}
        labels = {**job["spec"]["template"]["metadata"]["labels"], "batch.kubernetes.io/job-name": name}
        metadata: dict[str, Any] = {
            "name": f"{name}-x" if index is None else f"{name}-{index}-{attempt}",
            "labels": labels,
            "creationTimestamp": time_of(NOW + timedelta(seconds=attempt)),
        }
        if index is not None:
            metadata["annotations"] = {"batch.kubernetes.io/job-completion-index": str(index)}
        pod = {
            "kind": "Pod",
            "metadata": metadata,
            "spec": job["spec"]["template"]["spec"],
            "status": {"containerStatuses": [{"state": {"terminated": ended}}], **status},
        }
        self.children[ref_of(pod)] = pod
        return pod
