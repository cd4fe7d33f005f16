"""What only a cluster needs: checked everywhere, used by the operator."""

from __future__ import annotations

from pydantic import Field

from etl_service.spec.base import Model
from etl_service.spec.kubernetes import Image, ObjectName, Resources, SecretKeyRef
from etl_service.spec.text import Bytes


class History(Model):
    """How many ended runs keep their Job."""

    successful: int = Field(default=3, ge=0, le=100, description="Jobs of runs that succeeded. Default: 3.")
    failed: int = Field(default=3, ge=0, le=100, description="Jobs of runs that failed. Default: 3.")


class Storage(Model):
    """The volume that holds the SQLite database."""

    size: Bytes = Field(
        default=2**30, description="Size of the volume; it can grow later, and never shrink. Default: 1Gi."
    )
    storage_class_name: ObjectName | None = Field(
        default=None, description="StorageClass of the volume. Default: the cluster's own default."
    )
    retain: bool = Field(
        default=True, description="Keep the volume, and the data on it, when the pipeline is deleted. Default: true."
    )


class Service(Model):
    """The REST service."""

    replicas: int = Field(default=1, ge=0, le=20, description="Pods; more than one needs `load.postgres`. Default: 1.")
    image: Image | None = Field(default=None, description="Image to run. Default: the operator's own version.")
    resources: Resources | None = Field(default=None, description="Resources of its container.")
    token_secret: SecretKeyRef | None = Field(
        default=None,
        description="Secret with the token that every request but GET must show. Default: no token is asked for.",
    )


class Frontend(Model):
    """The web page in front of the service."""

    enabled: bool = Field(default=True, description="Whether there is one. Default: true.")
    replicas: int = Field(default=1, ge=0, le=20, description="Pods. Default: 1.")
    image: Image | None = Field(default=None, description="Image to run. Default: the operator's own version.")
    resources: Resources | None = Field(default=None, description="Resources of its container.")
