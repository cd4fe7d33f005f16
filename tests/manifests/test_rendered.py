"""Kustomizations of config/ render, and say what they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from etl_operator.kinds import GROUP
from etl_service import __version__
from images.engine import ROOT
from manifests.rendering import (
    CONFIG,
    KUSTOMIZATIONS,
    beside,
    container,
    kustomization,
    kustomize,
    of_kind,
    rendered,
    rendered_text,
    shown,
    variables,
)

DIGEST = "sha256:" + "a1" * 32
FILES = [ROOT / "kustomization.yaml", *sorted(CONFIG.glob("**/kustomization.yaml"))]
OPERATORS = [
    ROOT,
    *(CONFIG / path for path in ("install", "namespaced", "overlays/dev/operator", "overlays/prod/operator")),
]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=shown)
def test_kubectl_and_kustomize_render_the_same(path: Path):
    assert rendered_text(path) == rendered_text(path, kustomize(), "build")


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_no_field_of_kustomize_is_deprecated(path: Path):
    fields = yaml.safe_load(path.read_text()).keys()

    assert fields <= {"apiVersion", "kind", "namespace"} | {
        "resources",
        "components",
        "configMapGenerator",
        "configurations",
        "images",
        "labels",
        "patches",
    }


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=shown)
def test_a_resource_is_not_in_one_kustomization_with_its_definition(path: Path):
    objects = rendered(path)

    assert not (
        any(of_kind("CustomResourceDefinition", objects))
        and any(one["apiVersion"].partition("/")[0] == GROUP for one in objects)
    )


@pytest.mark.parametrize("path", OPERATORS, ids=shown)
def test_objects_of_the_operator_are_found_by_one_label(path: Path):
    for one in rendered(path):
        assert one["metadata"].get("labels", {}).get("app.kubernetes.io/part-of") == "etlpipeline", one["metadata"]


def operator_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (deployment,) = of_kind("Deployment", objects)
    return deployment


def images_of(objects: list[dict[str, Any]]) -> tuple[str, ...]:
    """Of the operator, and those that it gives to pipelines."""
    operator = operator_of(objects)
    given = variables(operator)
    return container(operator)["image"], given["ETL_SERVICE_IMAGE"], given["ETL_FRONTEND_IMAGE"]


def test_images_of_prod_are_of_this_version():
    images = images_of(rendered(CONFIG / "overlays/prod/operator"))

    for name, image in zip(("operator", "service", "frontend"), images, strict=True):
        # With a digest after it, in a release.
        assert image.partition("@")[0] == f"etlpipeline/{name}:{__version__}"


@pytest.mark.parametrize("base", OPERATORS, ids=shown)
@pytest.mark.parametrize("command", ["kubectl", "kustomize"])
def test_images_that_a_user_sets_once_are_those_of_the_settings_too(base: Path, command: str, tmp_path: Path):
    mine = kustomization(
        tmp_path / "mine",
        resources=[beside(tmp_path / "mine", base)],
        images=[
            {"name": "etlpipeline/operator", "newName": "registry.example.com:5000/etl/operator", "newTag": "1.2.3"},
            {"name": "etlpipeline/service", "newName": "registry.example.com:5000/etl/service", "digest": DIGEST},
            {"name": "etlpipeline/frontend", "newTag": "1.2.3"},
        ],
    )

    images = images_of(rendered(mine, *([kustomize(), "build"] if command == "kustomize" else [])))

    assert images == (
        "registry.example.com:5000/etl/operator:1.2.3",
        f"registry.example.com:5000/etl/service@{DIGEST}",
        "etlpipeline/frontend:1.2.3",
    )


def test_another_registry_keeps_the_version_of_prod(tmp_path: Path):
    mine = kustomization(
        tmp_path / "mine",
        resources=[beside(tmp_path / "mine", CONFIG / "overlays/prod/operator")],
        images=[{"name": "etlpipeline/service", "newName": "registry.example.com/service"}],
    )

    _, service, _ = images_of(rendered(mine))

    assert service.partition("@")[0] == f"registry.example.com/service:{__version__}"


def test_images_reach_into_pipelines(tmp_path: Path):
    mine = tmp_path / "mine"
    kustomization(
        mine,
        resources=["pipeline.yaml"],
        components=[beside(mine, CONFIG / "components/images")],
        images=[
            {"name": "etlpipeline/service", "newName": "registry.example.com/service", "digest": DIGEST},
            {"name": "etlpipeline/frontend", "newTag": "1.2.3"},
        ],
    )
    (mine / "pipeline.yaml").write_text(
        f"{{apiVersion: {GROUP}/v1alpha1, kind: EtlPipeline, metadata: {{name: posts}}, spec: "
        "{service: {image: 'etlpipeline/service:1'}, frontend: {image: 'etlpipeline/frontend:1'}}}"
    )

    for command in ((), (kustomize(), "build")):
        (posts,) = rendered(mine, *command)
        assert posts["spec"]["service"]["image"] == f"registry.example.com/service@{DIGEST}"
        assert posts["spec"]["frontend"]["image"] == "etlpipeline/frontend:1.2.3"


def test_namespaces_of_pipelines_want_pods_contained():
    for path in ("default", "overlays/dev/namespace", "overlays/prod/namespace"):
        (namespace,) = of_kind("Namespace", rendered(CONFIG / path))
        for mode in ("enforce", "audit", "warn"):
            assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_who_deletes_pipelines_or_the_operator_deletes_no_namespace_with_data(environment: str):
    overlay = CONFIG / "overlays" / environment
    (namespace,) = of_kind("Namespace", rendered(overlay / "namespace"))
    pipelines = rendered(overlay / "pipelines")
    (system,) = of_kind("Namespace", rendered(overlay / "operator"))

    assert not any(of_kind("Namespace", pipelines))
    assert {one["metadata"]["namespace"] for one in pipelines} == {namespace["metadata"]["name"]}
    assert system["metadata"]["name"] != namespace["metadata"]["name"]


@pytest.mark.parametrize(("environment", "retained"), [("dev", False), ("prod", True)])
def test_data_of_prod_outlives_a_pipeline_and_data_of_dev_does_not(environment: str, retained: bool):
    pipelines = list(of_kind("EtlPipeline", rendered(CONFIG / "overlays" / environment / "pipelines")))

    assert pipelines
    assert {one["spec"]["storage"]["retain"] for one in pipelines} == {retained}
