"""ConfigMaps: the document, and what is known of runs that could not say themselves what became of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from etl_operator.kinds import Manifest
from etl_operator.manifests.common import Given
from etl_service.spec import public_document

DOCUMENT = "pipeline.json"
LOST = "lost-runs.json"


def config(given: Given) -> Manifest:
    return given.child("ConfigMap", "pipeline", "config", data={DOCUMENT: document(given)})


def document(given: Given) -> str:
    return json.dumps(_document(given), indent=2, ensure_ascii=False) + "\n"


def document_hash(given: Given) -> str:
    """Of all that wants a new start of the service; whether it is suspended, it follows by itself."""
    wanted = _document(given)
    wanted["spec"].pop("suspend", None)
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:16]


def _document(given: Given) -> dict[str, Any]:
    """What the engine needs of the document, and nothing that only the operator looks at."""
    shown = public_document(given.pipeline)
    spec: dict[str, Any] = {name: value for name, value in shown["spec"].items() if name in _FOR_THE_ENGINE}
    # A worker has to know which of its failures is for good.
    of_a_run = ("deadline", "backoffLimit") if given.is_divided else ("deadline",)
    if run := {name: value for name, value in spec.pop("run", {}).items() if name in of_a_run}:
        spec["run"] = run
    metadata = {"name": given.resource.name, "namespace": given.resource.namespace}
    return {**shown, "metadata": metadata, "spec": spec}


_FOR_THE_ENGINE = ("extract", "transform", "load", "schedule", "run", "suspend")


def lost_runs(given: Given, runs: Sequence[dict[str, Any]]) -> Manifest:
    """The service completes the history from it."""
    return given.child(
        "ConfigMap", "lost-runs", "config", data={LOST: json.dumps(runs, indent=2, ensure_ascii=False) + "\n"}
    )
