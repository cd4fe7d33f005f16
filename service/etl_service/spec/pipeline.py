"""The document as a whole."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from types import NoneType
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from etl_service.spec.base import Model
from etl_service.spec.cluster import Frontend, History, Service, Storage
from etl_service.spec.extract import Extract
from etl_service.spec.kubernetes import Annotations, Labels, Namespace, PipelineName, Pod, Resources
from etl_service.spec.load import Load
from etl_service.spec.rules import PIPELINE_RULES
from etl_service.spec.schedule import Schedule
from etl_service.spec.text import Written, duration
from etl_service.spec.transform import Transform

API_VERSION: Final = "etlpipeline.dev/v1alpha1"
KIND: Final = "EtlPipeline"


class Metadata(Model):
    """What Kubernetes calls a resource."""

    name: PipelineName = Field(description="Name of the pipeline: a DNS label of at most 40 characters.")
    namespace: Namespace = Field(default="default", description="Namespace of the pipeline. Default: default.")
    labels: Labels = Field(default={}, description="Labels, as Kubernetes has them.")
    annotations: Annotations = Field(default={}, description="Annotations, as Kubernetes has them.")


Deadline = Annotated[timedelta, duration(timedelta(seconds=1), timedelta(days=7))]

#: Made up by whoever asks for a run. Empty text is no id.
RequestId = Annotated[
    str | None,
    Written[str | None](
        "an id",
        "write letters, digits and . _ : / -, a letter or digit first",
        "([A-Za-z0-9][A-Za-z0-9._:/-]*)?",
        max_length=128,
        min_length=0,
        python=NoneType,
        read=lambda text: text or None,
        write=lambda value: value or "",
    ),
]


class RunSpec(Model):
    """How runs are made."""

    request_id: RequestId = Field(
        default=None,
        description='A new value asks for a run; one id makes one run. Default: "", which asks for none.',
    )
    backoff_limit: int = Field(default=2, ge=0, le=10, description="Further attempts at a run that failed. Default: 2.")
    deadline: Deadline = Field(
        default=timedelta(hours=1), description="Time for all attempts together, from 1s to 168h. Default: 1h."
    )
    resources: Resources | None = Field(default=None, description="Resources of a run's container, on a cluster.")


class PipelineSpec(Model):
    """What the pipeline does."""

    extract: Extract = Field(description="Where the records come from.")
    transform: Transform = Field(default=Transform(), description="What becomes of a record.")
    load: Load = Field(description="Where the rows go.")
    schedule: Schedule | None = Field(
        default=None, description="When runs begin by themselves. Default: only when asked for."
    )
    suspend: bool = Field(
        default=False,
        description="No scheduled and no requested runs; the service goes on serving. Default: false.",
    )
    run: RunSpec = Field(default=RunSpec(), description="How runs are made.")
    history: History = Field(default=History(), description="How many ended runs keep their Job, on a cluster.")
    storage: Storage = Field(default=Storage(), description="The volume of the SQLite database, on a cluster.")
    service: Service = Field(default=Service(), description="The REST service, on a cluster.")
    frontend: Frontend = Field(default=Frontend(), description="The web page, on a cluster.")
    pod: Pod = Field(default=Pod(), description="What all pods have in common, on a cluster.")

    rules = PIPELINE_RULES


class EtlPipeline(Model):
    """Moves JSON records from a REST API into a SQL table, cleaned and typed, and shows what it did."""

    api_version: Literal["etlpipeline.dev/v1alpha1"] = Field(default=API_VERSION, description="Version of this schema.")
    kind: Literal["EtlPipeline"] = Field(default=KIND, description="Kind of the resource.")
    metadata: Metadata = Field(description="Name, namespace, labels and annotations.")
    spec: PipelineSpec = Field(description="What the pipeline does.")

    @property
    def full_name(self) -> str:
        """``namespace/name``, under which a store keeps everything of the pipeline."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def hash(self) -> str:
        """What the pipeline does, in 16 hexadecimal digits: the same however its document is written.

        Neither a request for a run nor its suspension changes what the pipeline does.
        """
        spec = self.spec.model_copy(
            update={"suspend": False, "run": self.spec.run.model_copy(update={"request_id": None})}
        )
        said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def public_document(pipeline: EtlPipeline) -> dict[str, Any]:
    """The document in its own terms, as plain JSON: what it leaves out is left out.

    Secrets are only named in it, so it may be shown to whoever may see the pipeline.
    """
    return pipeline.model_dump(mode="json", by_alias=True, exclude_unset=True)
