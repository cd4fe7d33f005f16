"""Writes the files that are made from the code, for who reads the project without running it: ``make generated``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from fastapi import FastAPI

from etl_operator.crd import crd
from etl_service.api.app import create_app
from etl_service.api.docs import openapi_document
from etl_service.load import open_store
from etl_service.runs import World
from etl_service.settings import Settings
from etl_service.spec import json_schema, load_pipeline
from tools import reference
from tools.metrics_reference import metrics_reference
from tools.rest_reference import rest_reference

ROOT = Path(__file__).parents[1]


def main() -> None:
    for name in GENERATED:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(generated(name))


def generated(name: str) -> str:
    """What the file should hold: data is written in the format of its name, and Markdown as it is."""
    content = GENERATED[name]()
    if isinstance(content, str):
        return f"<!-- Made from the code by `make generated`. -->\n\n{content.rstrip()}\n"
    if name.endswith(".yaml"):
        return f"# Made from the models by `make generated`.\n{yaml.dump(content, Dumper=_Plain, **_YAML)}"
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


class _Plain(yaml.SafeDumper):
    """Writes what is there more than once more than once: Kubernetes' readers know no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_YAML: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 1000}


def openapi() -> dict[str, Any]:
    """The REST API as `etl serve pipelines/posts.yaml` describes it."""
    with application() as app:
        return openapi_document(app)


def metrics() -> str:
    with application() as app:
        return metrics_reference(app.state.service)


@contextmanager
def application() -> Iterator[FastAPI]:
    """What `etl serve pipelines/posts.yaml` serves, before a first run."""
    document = ROOT / "pipelines/posts.yaml"
    pipeline = load_pipeline(document)
    with TemporaryDirectory() as folder:
        store = open_store(pipeline.spec.load, Path(folder) / "etl.db", World().read_secret)
        yield create_app(pipeline, document, store, Settings(), World())


#: Files by name, with what makes their content: data, or the text of a document in Markdown.
GENERATED: dict[str, Callable[[], dict[str, Any] | str]] = {
    "config/crd/etlpipelines.yaml": crd,
    "docs/openapi.json": openapi,
    "docs/pipeline.schema.json": json_schema,
    "docs/reference/command-line.md": reference.command_line,
    "docs/reference/document.md": reference.document,
    "docs/reference/metrics.md": metrics,
    "docs/reference/reasons.md": reference.reasons,
    "docs/reference/rest.md": lambda: rest_reference(openapi()),
    "docs/reference/settings.md": reference.environment,
}

if __name__ == "__main__":
    main()
