"""Runs: a Job for each that is asked for, and the CronJob that makes those of the schedule."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from etl_operator.kinds import REQUEST_ANNOTATION, TRIGGER_LABEL, Manifest
from etl_operator.manifests.common import Given, beside, environment, resources
from etl_operator.manifests.pods import engine
from etl_service.spec import shares

#: What a run's container may use where the pipeline does not say.
MEMORY = "512Mi"
#: How many runs the status tells of.
KEPT = 10
#: How long after the engine's own deadline a Job ends, so that the engine can say why it ended.
_GRACE = 60

_NAME_OF_THE_JOB = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}}
#: How often the pod's index has failed before: "0" on its first pod.
_FAILURES = {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-index-failure-count']"}}


def request_job(given: Given, request: str) -> Manifest:
    """One id makes one Job, whoever makes it and however often: its name says so."""
    digest = hashlib.sha256(f"{given.resource.uid} {request}".encode()).hexdigest()[:10]
    job = given.child("Job", f"run-{digest}", "run", spec=_job(given, "request", {"value": request}))
    job["metadata"]["labels"][TRIGGER_LABEL] = "request"
    job["metadata"]["annotations"] = {REQUEST_ANNOTATION: request}
    return job


def schedule(given: Given) -> Manifest:
    wanted, history = given.spec.schedule, given.spec.history
    assert wanted is not None
    labels = {**given.labels("run"), TRIGGER_LABEL: "schedule"}
    return given.child(
        "CronJob",
        "schedule",
        "run",
        spec={
            "schedule": wanted.cron,
            "timeZone": wanted.time_zone or "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 300,
            "suspend": given.spec.suspend,
            # At least as many as the status tells of: the operator sees to the rest, once it has written of them.
            "successfulJobsHistoryLimit": max(history.successful, KEPT),
            "failedJobsHistoryLimit": max(history.failed, KEPT),
            "jobTemplate": {
                "metadata": {"labels": labels},
                # The Job's own name is the request's id: what is tried again is the same run.
                "spec": _job(given, "schedule", {"valueFrom": _NAME_OF_THE_JOB}),
            },
        },
    )


def _job(given: Given, trigger: str, request: Manifest) -> Manifest:
    wanted = given.spec.run
    variables, mounts, volumes = engine(given)
    variables += [{"name": "REQUEST_ID", **request}]
    variables += environment(ETL_TERMINATION_LOG="/dev/termination-log")
    container: Manifest = {
        "name": "run",
        "image": given.spec.service.image or given.settings.service_image,
        "args": ["run", "--trigger", trigger, "--request-id", "$(REQUEST_ID)"],
        "env": variables,
        "resources": resources(wanted.resources, cpu="50m", memory="128Mi", limit=MEMORY),
        "volumeMounts": mounts,
    }
    attempts: Manifest = {"backoffLimit": wanted.backoff_limit}
    hopeless = [_WRONG]
    placed: Manifest = {}
    if given.is_divided:
        attempts, hopeless = _a_pod_for_each_partition(given), [_WRONG, _NOT_BEGUN]
        container["args"] = [
            *("work", *container["args"][1:]),
            *("--partition", "$(JOB_COMPLETION_INDEX)", "--failures", "$(FAILURES)"),
        ]
        variables.append({"name": "FAILURES", "valueFrom": _FAILURES})
        placed = {"topologySpreadConstraints": [_apart(given)]}
    return {
        **attempts,
        "activeDeadlineSeconds": int(wanted.deadline.total_seconds()) + _GRACE,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": _rules(hopeless)},
        "template": given.pod(
            "run",
            container,
            volumes=volumes,
            labels={TRIGGER_LABEL: trigger},
            affinity=_where(given),
            restartPolicy="Never",
            terminationGracePeriodSeconds=30,
            **placed,
        ),
    }


def _a_pod_for_each_partition(given: Given) -> Manifest:
    """Each has attempts of its own; where one has used them up, the run has failed, and the others end too."""
    wanted = given.spec.extract.partitions
    assert wanted is not None
    count = len(shares(given.spec.extract))
    return {
        "completionMode": "Indexed",
        "completions": count,
        "parallelism": min(wanted.parallelism, count),
        "backoffLimitPerIndex": given.spec.run.backoff_limit,
        "maxFailedIndexes": 0,
    }


def _apart(given: Given) -> Manifest:
    """On several nodes where there are some: else small pods whose image one node has would all go there."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": given.selector("run")},
    }


def _where(given: Given) -> dict[str, Any] | None:
    """Where the volume is: with the service where it has a pod, else with another run."""
    if not given.uses_volume:
        return None
    serving = given.spec.service.replicas > 0
    return beside(given.selector("service" if serving else "run"), required=serving)


#: Exit codes after which no attempt is of use: of a wrong document, which stays wrong, and of the first worker of a
#: divided run that may not begin it.
_WRONG, _NOT_BEGUN = 2, 3


def _rules(hopeless: Sequence[int]) -> list[Manifest]:
    return [
        {"action": "FailJob", "onExitCodes": {"containerName": "run", "operator": "In", "values": list(hopeless)}},
        # A drained node, an eviction: not the run's fault, so it costs none of its attempts.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]
