"""Why a pod does not do what it should, in words that say what to do."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from etl_operator.observed import Object


class Cause(NamedTuple):
    reason: str
    message: str


def report_of(pod: Object) -> dict[str, Any] | None:
    """What a run's container left as its last words; None where it left none."""
    for container in _containers(pod):
        text = (container.get("state", {}).get("terminated") or {}).get("message") or ""
        try:
            report = json.loads(text)
        except ValueError:
            continue
        if isinstance(report, dict) and (report.get("run") or report.get("refusal")):
            return report
    return None


def obstacle(pod: Object) -> Cause | None:
    """What keeps a pod from running; None where nothing does."""
    status = pod.get("status") or {}
    if status.get("phase") == "Pending":
        for condition in status.get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return Cause("Unschedulable", f"no node takes its pod: {condition.get('message', 'no reason given')}")
    for container in _containers(pod):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in _PULLING:
            remedy = "check its name, and pod.imagePullSecrets where it is private"
            return Cause("ImagePullFailed", f"the image {container.get('image')} cannot be pulled; {remedy}")
        if waiting.get("reason") in _BROKEN:
            return Cause(waiting["reason"], f"its container does not start: {waiting.get('message', 'see its log')}")
        if container.get("restartCount", 0) > 1 and not container.get("ready"):
            code = ((container.get("lastState") or {}).get("terminated") or {}).get("exitCode", "unknown")
            return Cause("CrashLoop", f"its container ends again and again, with code {code}; see its log")
    return None


#: What the kubelet says alternates between these, and counts seconds: that is not repeated.
_PULLING = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_BROKEN = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")


def cause_of_death(pod: Object, *, memory: str) -> Cause | None:
    """Why a run's pod ended without a word; None where it has not ended, or has said why.

    Args:
        memory: the limit that its container had.
    """
    status = pod.get("status") or {}
    for container in _containers(pod):
        ended = container.get("state", {}).get("terminated") or {}
        if ended.get("reason") == "OOMKilled":
            return Cause("OutOfMemory", f"out of memory at {memory}; raise run.resources.limits.memory")
    if status.get("reason") == "Evicted":
        return Cause("Evicted", f"evicted from its node: {status.get('message', 'no reason given')}")
    for condition in status.get("conditions") or ():
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            return Cause(
                "Disrupted", f"its pod was taken away: {condition.get('message', condition.get('reason', ''))}"
            )
    if status.get("phase") == "Failed" and report_of(pod) is None:
        code = next((c["state"]["terminated"].get("exitCode") for c in _containers(pod) if _terminated(c)), None)
        return Cause("ProcessLost", f"its process ended without a word, with code {code}; its log may say more")
    return None


def _terminated(container: Object) -> bool:
    return bool((container.get("state") or {}).get("terminated"))


def _containers(pod: Object) -> list[Any]:
    return list((pod.get("status") or {}).get("containerStatuses") or ())
