"""Manifests in, the same out, and after them what the operator makes of the pipelines among them: for linters."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from etl_operator.kinds import KIND, Manifest
from etl_operator.manifests import Given, children, claim, request_job
from etl_operator.resource import read_resource
from etl_operator.settings import Settings


def main() -> None:
    applied = [document for document in yaml.safe_load_all(sys.stdin) if document]
    made = [child for document in applied if document["kind"] == KIND for child in made_of(document)]
    for manifest in (*applied, *made):
        print("---", yaml.safe_dump(manifest, sort_keys=False), sep="\n", end="")


def made_of(pipeline: Mapping[str, Any]) -> Iterator[Manifest]:
    """All the children that it may have, and a run."""
    resource = read_resource({**pipeline, "metadata": {"uid": "0", "generation": 1, **pipeline["metadata"]}})
    if resource.pipeline is None:
        sys.exit(f"{resource.key}: {resource.problem}")
    given = Given(resource, resource.pipeline, Settings())
    yield claim(given, existing=None)
    yield from children(given)
    yield request_job(given, "lint")


if __name__ == "__main__":
    main()
