"""Pipeline documents for tests: posts from a source, with what a test wants otherwise said in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etl_service.spec import EtlPipeline

COLUMNS = [
    {"name": "id", "type": "integer", "required": True},
    {"name": "title", "type": "text", "clean": ["strip"]},
]


def document(
    url: str,
    *,
    name: str = "posts",
    extract: dict[str, Any] | None = None,
    transform: dict[str, Any] | None = None,
    load: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    return {
        "apiVersion": "etlpipeline.dev/v1alpha1",
        "kind": "EtlPipeline",
        "metadata": {"name": name},
        "spec": {
            "extract": {"url": url, "pagination": {"link": {}}, "limits": {"retries": 0}} | (extract or {}),
            "transform": {"columns": COLUMNS} if transform is None else transform,
            "load": {"table": "posts", "key": ["id"], "mode": "upsert"} | (load or {}),
            **spec,
        },
    }


def pipeline(url: str, **changes: Any) -> EtlPipeline:
    return EtlPipeline.model_validate(document(url, **changes))


def written(folder: Path, url: str, **changes: Any) -> Path:
    """The document as a file; JSON is YAML."""
    path = folder / "pipeline.yaml"
    path.write_text(json.dumps(document(url, **changes)))
    return path
