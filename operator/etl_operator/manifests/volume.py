"""The volume of the SQLite database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl_operator.kinds import Manifest, child_name
from etl_operator.manifests.common import Given
from etl_operator.quantity import bytes_of


def claim_name(pipeline: str) -> str:
    return child_name(pipeline, "data")


def claim(given: Given, existing: Mapping[str, Any] | None) -> Manifest:
    """As large as wanted, or as it is already: a volume that is adopted may be larger, and none can shrink."""
    storage = given.spec.storage
    wanted = given.pipeline.spec.model_dump(mode="json", by_alias=True)["storage"]["size"]
    if existing:
        present = existing["spec"]["resources"]["requests"]["storage"]
        wanted = present if bytes_of(present) >= bytes_of(wanted) else wanted
    manifest = given.child(
        "PersistentVolumeClaim",
        "data",
        "volume",
        spec={
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": wanted}},
            **({"storageClassName": storage.storage_class_name} if storage.storage_class_name else {}),
        },
    )
    if storage.retain:
        del manifest["metadata"]["ownerReferences"]
    return manifest
