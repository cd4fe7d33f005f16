"""JSON Schemas for kubeconform: of what a cluster knows, from its own OpenAPI, and of pipelines, from the CRD."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from e2e.kube import Kube
from etl_operator.kinds import GROUP
from manifests.rendering import CONFIG

#: Where kubeconform finds them in their folder.
LOCATION = "{{.ResourceKind}}{{.KindSuffix}}.json"


def write_schemas(cluster: Kube, versions: Collection[str], folder: Path) -> None:
    """Of all kinds of these groups' versions, as ``apiVersion`` has them."""
    for version in versions:
        group, _, number = version.rpartition("/")
        suffix = f"-{group.partition('.')[0]}-{number}" if group else f"-{number}"
        known = _of_the_crd() if group == GROUP else _of_the_cluster(cluster, version)
        for kind, schema in known.items():
            (folder / f"{kind.lower()}{suffix}.json").write_text(json.dumps(schema))


def _of_the_crd() -> dict[str, Any]:
    crd = yaml.safe_load((CONFIG / "crd/etlpipelines.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    return {crd["spec"]["names"]["kind"]: _strict(version["schema"]["openAPIV3Schema"])}


def _of_the_cluster(cluster: Kube, version: str) -> dict[str, Any]:
    path = f"/openapi/v3/apis/{version}" if "/" in version else f"/openapi/v3/api/{version}"
    schemas = json.loads(cluster("get", "--raw", path))["components"]["schemas"]
    definitions = {name: _strict(schema) for name, schema in schemas.items()}
    group, _, number = version.rpartition("/")
    return {
        kind["kind"]: {"$ref": f"#/definitions/{name}", "definitions": definitions}
        for name, schema in schemas.items()
        for kind in schema.get("x-kubernetes-group-version-kind", ())
        if (kind["group"], kind["version"]) == (group, number)
    }


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same in JSON Schema, where an object has no fields but those that it names."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/definitions/")}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {name: value for name, value in schema.items() if not name.startswith("x-") and name != "default"}
    if "properties" in kept:
        kept["properties"] = {name: _strict(value) for name, value in kept["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            kept.setdefault("additionalProperties", False)
    for name in ("items", "additionalProperties", "not"):
        if isinstance(kept.get(name), dict):
            kept[name] = _strict(kept[name])
    for name in ("allOf", "anyOf", "oneOf"):
        if name in kept:
            kept[name] = [_strict(one) for one in kept[name]]
    return kept
