"""What children have in common: names, labels, and how their pods are contained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl_operator.kinds import KINDS, PIPELINE_LABEL, Manifest, child_name
from etl_operator.resource import Resource
from etl_operator.settings import Settings
from etl_service.spec import EtlPipeline, PipelineSpec, Resources

#: The user of the images.
USER = 65532


@dataclass(frozen=True, slots=True)
class Given:
    """What children are made from."""

    resource: Resource
    pipeline: EtlPipeline
    settings: Settings

    @property
    def spec(self) -> PipelineSpec:
        return self.pipeline.spec

    def named(self, part: str) -> str:
        return child_name(self.resource.name, part)

    @property
    def uses_volume(self) -> bool:
        return self.spec.load.postgres is None

    @property
    def is_divided(self) -> bool:
        """Whether its runs are, among several pods each."""
        return self.spec.extract.partitions is not None

    def selector(self, component: str) -> dict[str, str]:
        """The labels that tell the pods of one component; they never change, since a Deployment's cannot."""
        return {PIPELINE_LABEL: self.resource.name, "app.kubernetes.io/component": component}

    def labels(self, component: str) -> dict[str, str]:
        return {
            "app.kubernetes.io/name": "etlpipeline",
            "app.kubernetes.io/instance": self.resource.name,
            "app.kubernetes.io/managed-by": "etl-operator",
            **self.selector(component),
        }

    def child(self, kind: str, part: str, component: str, **fields: Any) -> Manifest:
        """An object that goes with the pipeline when it is deleted."""
        return {
            "apiVersion": KINDS[kind].api,
            "kind": kind,
            "metadata": {
                "name": self.named(part),
                "namespace": self.resource.namespace,
                "labels": self.labels(component),
                "ownerReferences": [self.resource.owner_reference],
            },
            **fields,
        }

    def pod(
        self,
        component: str,
        container: Manifest,
        *,
        user: int = USER,
        volumes: Sequence[Manifest] = (),
        labels: Mapping[str, str] = {},
        annotations: Mapping[str, str] = {},
        affinity: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Manifest:
        """A pod's template, as contained as Pod Security's profile "restricted" wants it."""
        pod = self.spec.pod
        own = pod.affinity if isinstance(pod.affinity, dict) else {}
        merged_affinity = _merged(own, affinity or {})
        metadata: Manifest = {"labels": {**pod.labels, **self.labels(component), **labels}}
        if pod.annotations or annotations:
            metadata["annotations"] = {**pod.annotations, **annotations}
        spec: Manifest = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "serviceAccountName": self.named("etl"),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": user,
                "runAsGroup": user,
                "fsGroup": user,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{**container, "securityContext": _CONTAINED}],
            **({"volumes": list(volumes)} if volumes else {}),
            **({"nodeSelector": dict(pod.node_selector)} if pod.node_selector else {}),
            **({"affinity": merged_affinity} if merged_affinity else {}),
            **fields,
        }
        if pod.tolerations:
            spec["tolerations"] = [
                toleration.model_dump(mode="json", by_alias=True, exclude_none=True) for toleration in pod.tolerations
            ]
        if pod.image_pull_secrets:
            spec["imagePullSecrets"] = [{"name": secret.name} for secret in pod.image_pull_secrets]
        return {"metadata": metadata, "spec": spec}


_CONTAINED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def resources(wanted: Resources | None, *, cpu: str, memory: str, limit: str) -> Manifest:
    """What a container asks for; where the pipeline says nothing, as much as it usually needs."""
    if wanted is None:
        return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}
    given = {"requests": dict(wanted.requests), "limits": dict(wanted.limits)}
    return {name: values for name, values in given.items() if values}


def beside(selector: Mapping[str, str], *, required: bool) -> Manifest:
    """Affinity to the node of certain pods."""
    term = {"labelSelector": {"matchLabels": dict(selector)}, "topologyKey": "kubernetes.io/hostname"}
    if required:
        return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    preferred = {"weight": 100, "podAffinityTerm": term}
    return {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}


def environment(**variables: str) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def _merged(one: Any, other: Any) -> Any:
    """Maps merged, and lists one after the other: what both ask for holds."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{name: _merged(one[name], value) if name in one else value for name, value in other.items()}}
    return [*one, *other] if isinstance(one, list) and isinstance(other, list) else other
