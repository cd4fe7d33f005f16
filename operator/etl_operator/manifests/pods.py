"""What the service's pods and the runs' pods share: the engine, its document, its database and its secrets."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from etl_operator.kinds import Manifest
from etl_operator.manifests.common import Given, environment
from etl_operator.manifests.config import DOCUMENT
from etl_operator.manifests.volume import claim_name
from etl_service.spec import SecretKeyRef

_DOCUMENTS = "/etc/etl"


def engine(given: Given) -> tuple[list[Manifest], list[Manifest], list[Manifest]]:
    """Its environment, its mounts and its volumes."""
    variables = environment(
        ETL_PIPELINE=f"{_DOCUMENTS}/{DOCUMENT}",
        ETL_LOG_FORMAT="json",
        ETL_ALLOWED_SOURCES=given.settings.allowed_sources,
        **({"ETL_DATABASE": "/data/etl.db", "SQLITE_TMPDIR": "/data"} if given.uses_volume else {}),
    )
    mounts: list[Manifest] = [
        {"name": "pipeline", "mountPath": _DOCUMENTS, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    volumes: list[Manifest] = [
        {"name": "pipeline", "configMap": {"name": given.named("pipeline")}},
        {"name": "tmp", "emptyDir": {}},
    ]
    if given.uses_volume:
        mounts.append({"name": "data", "mountPath": "/data"})
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": claim_name(given.resource.name)}})
    for number, (secret, keys) in enumerate(sorted(_secrets(given).items())):
        mounts.append({"name": f"secret-{number}", "mountPath": f"/run/secrets/{secret}", "readOnly": True})
        # Optional, so that the engine can say which one is missing; a change of it reaches the file by itself.
        items = [{"key": key, "path": key} for key in sorted(keys)]
        wanted = {"secretName": secret, "items": items, "optional": True}
        volumes.append({"name": f"secret-{number}", "secret": wanted})
    return variables, mounts, volumes


def _secrets(given: Given) -> dict[str, set[str]]:
    """The keys that are wanted, by the Secret that holds them."""
    found: dict[str, set[str]] = {}
    for ref in _references(given.spec):
        found.setdefault(ref.name, set()).add(ref.key)
    return found


def _references(part: object) -> Iterator[SecretKeyRef]:
    """The Secrets that the document names, wherever it does."""
    if isinstance(part, SecretKeyRef):
        yield part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _references(getattr(part, name))
