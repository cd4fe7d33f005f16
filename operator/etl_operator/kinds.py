"""What things are called in a cluster, and where its API has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

GROUP: Final = "etlpipeline.dev"
VERSION: Final = "v1alpha1"
KIND: Final = "EtlPipeline"
PLURAL: Final = "etlpipelines"

#: On every child: the pipeline's name. Watches are filtered by it.
PIPELINE_LABEL: Final = f"{GROUP}/pipeline"
#: On Jobs and their pods: what asked for the run.
TRIGGER_LABEL: Final = f"{GROUP}/trigger"
#: On a Job: the id of the request that it stands for.
REQUEST_ANNOTATION: Final = f"{GROUP}/request-id"
#: On a pipeline: a new value asks for a run.
RUN_ANNOTATION: Final = f"{GROUP}/run"
#: On every child: the hash of what was applied, so that what is no longer wanted is noticed too.
APPLIED_ANNOTATION: Final = f"{GROUP}/applied"

#: On a namespace, with the value ``enabled``: its pods may ask services and the operator for metrics.
METRICS_LABEL: Final = f"{GROUP}/metrics"

#: Labels of the operator's own pods.
OPERATOR: Final = {"app.kubernetes.io/name": "etlpipeline", "app.kubernetes.io/component": "operator"}

#: An object of the cluster, as plain JSON.
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    api: str  #: group and version, as ``apiVersion`` has them
    plural: str

    @property
    def path(self) -> str:
        return f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"


def _kinds(*kinds: tuple[str, str, str]) -> Mapping[str, Kind]:
    return {name: Kind(name, api, plural) for name, api, plural in kinds}


#: What the operator keeps or looks at, by kind.
CHILDREN: Final = _kinds(
    ("ConfigMap", "v1", "configmaps"),
    ("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
    ("Pod", "v1", "pods"),
    ("Service", "v1", "services"),
    ("ServiceAccount", "v1", "serviceaccounts"),
    ("Deployment", "apps/v1", "deployments"),
    ("CronJob", "batch/v1", "cronjobs"),
    ("Job", "batch/v1", "jobs"),
    ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
)
PIPELINES: Final = Kind(KIND, f"{GROUP}/{VERSION}", PLURAL)
KINDS: Final[Mapping[str, Kind]] = {**CHILDREN, KIND: PIPELINES}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A pipeline's namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """An object among those of one pipeline."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def child_name(pipeline: str, part: str) -> str:
    """How a pipeline's child is called."""
    return f"{pipeline}-{part}"


def ref_of(manifest: Mapping[str, Any]) -> Ref:
    return Ref(manifest["kind"], manifest["metadata"]["name"])
