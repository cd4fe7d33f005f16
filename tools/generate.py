"""Writes the files that are made from the code, for who reads the project without running it: ``make generated``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from etl_service.api.app import create_app
from etl_service.api.docs import openapi_document
from etl_service.load import open_store
from etl_service.runs import World
from etl_service.settings import Settings
from etl_service.spec import json_schema, load_pipeline

ROOT = Path(__file__).parents[1]


def main() -> None:
    for name in GENERATED:
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(generated(name))


def generated(name: str) -> str:
    """What the file should hold."""
    return json.dumps(GENERATED[name](), indent=2, ensure_ascii=False) + "\n"


def openapi() -> dict[str, Any]:
    """The REST API as `etl serve pipelines/posts.yaml` describes it."""
    document = ROOT / "pipelines/posts.yaml"
    pipeline = load_pipeline(document)
    with TemporaryDirectory() as folder:
        store = open_store(pipeline.spec.load, Path(folder) / "etl.db")
        return openapi_document(create_app(pipeline, document, store, Settings(), World()))


GENERATED: dict[str, Callable[[], dict[str, Any]]] = {
    "docs/openapi.json": openapi,
    "docs/pipeline.schema.json": json_schema,
}

if __name__ == "__main__":
    main()
