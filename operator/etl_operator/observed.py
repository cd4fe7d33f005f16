"""What the cluster has of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl_operator.kinds import Ref

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Observed:
    children: Mapping[Ref, Object]
    #: Run records that no Job carries out, the newest first, as the service last told them; None before it has.
    history: Sequence[Object] | None = None
    rows: int | None = None  #: of the table, as it last told

    def get(self, kind: str, name: str) -> Object | None:
        return self.children.get(Ref(kind, name))

    def of_kind(self, kind: str) -> Iterator[Object]:
        return (child for ref, child in sorted(self.children.items()) if ref.kind == kind)

    def pods_of(self, job: str) -> list[Object]:
        """A Job's pods, the newest first."""
        pods = [
            pod
            for pod in self.of_kind("Pod")
            if (pod["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name") == job
        ]
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)

    def pods_with(self, component: str) -> list[Object]:
        return [
            pod
            for pod in self.of_kind("Pod")
            if (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component") == component
        ]


def condition(of: Object, type_: str) -> Object | None:
    """The condition of an object that has that type and is True."""
    conditions = (of.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == type_ and one["status"] == "True"), None)


def is_owner(owner: Object, *, of: Object) -> bool:
    references = of["metadata"].get("ownerReferences", ())
    return any(reference.get("uid") == owner["metadata"].get("uid") for reference in references)
