"""An EtlPipeline as it is in the cluster: the document, and what only a cluster has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from etl_operator.kinds import GROUP, KIND, RUN_ANNOTATION, VERSION, Key, Manifest
from etl_operator.observed import is_owner
from etl_service.spec import EtlPipeline, RunSpec, SpecInvalid, validate_pipeline


@dataclass(frozen=True, slots=True)
class Resource:
    """What the API server has of a pipeline."""

    body: Mapping[str, Any]
    pipeline: EtlPipeline | None  #: None where the spec cannot be used
    problem: str = ""  #: why it cannot

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.body["metadata"]
        return metadata

    @property
    def key(self) -> Key:
        return Key(self.metadata["namespace"], self.metadata["name"])

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        return str(self.metadata["namespace"])

    @property
    def uid(self) -> str:
        return str(self.metadata["uid"])

    @property
    def generation(self) -> int:
        return int(self.metadata["generation"])

    @property
    def is_going(self) -> bool:
        return "deletionTimestamp" in self.metadata

    @property
    def status(self) -> Mapping[str, Any]:
        return self.body.get("status") or {}

    @property
    def requests(self) -> Mapping[str, str]:
        """The ids of the runs that are asked for, by the field of the status that tells which was handled last."""
        asked = {
            "lastRequestId": self.pipeline.spec.run.request_id if self.pipeline else None,
            "lastRunAnnotation": (self.metadata.get("annotations") or {}).get(RUN_ANNOTATION),
        }
        return {field: id for field, id in asked.items() if id and id != self.status.get(field)}

    @property
    def is_serving(self) -> bool:
        """Whether its service is to have a pod."""
        return self.pipeline is None or self.pipeline.spec.service.replicas > 0

    def owns(self, child: Mapping[str, Any]) -> bool:
        return is_owner(self.body, of=child)

    def is_left_over(self, child: Mapping[str, Any]) -> bool:
        """Whether it belongs to an earlier pipeline of this name; the cluster is about to delete it."""
        owners = child["metadata"].get("ownerReferences", ())
        return any(owner["kind"] == KIND and owner["name"] == self.name for owner in owners) and not self.owns(child)

    @property
    def owner_reference(self) -> Manifest:
        # Not blocking: the operator has no right, and no need, to keep anything from being deleted.
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }


def read_resource(body: Mapping[str, Any]) -> Resource:
    """The resource, with its pipeline or with what is wrong with it; never raises."""
    metadata = {name: body["metadata"][name] for name in ("name", "namespace")}
    document = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, "spec": body.get("spec")}
    try:
        return Resource(body, validate_pipeline(document, "the resource"))
    except SpecInvalid as error:
        return Resource(body, None, "; and ".join(str(problem) for problem in error.problems))


def refusal(request: str) -> str:
    """What is wrong with an id that the annotation asks for, which the API server has not checked; empty: nothing."""
    try:
        RunSpec.model_validate({"requestId": request})
    except ValidationError as error:
        wrong = error.errors()[0]["ctx"]
        return f"the annotation {RUN_ANNOTATION} {wrong['message']}; {wrong['remedy']}"
    return ""
