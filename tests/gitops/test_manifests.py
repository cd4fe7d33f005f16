"""What is shipped for Argo CD and Flux fits the overlays that it delivers, and itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

import checkout
from images.engine import ROOT
from manifests.rendering import CONFIG, beside, kustomization, of_kind, rendered

#: The releases of Flux's controllers whose definitions are looked into; v1.6 is in the oldest Flux that will do, 2.6.
FLUX = [
    "github.com/fluxcd/kustomize-controller@v1.6.0",
    "github.com/fluxcd/kustomize-controller@v1.9.6",
    "github.com/fluxcd/source-controller@v1.9.6",
]
PLACEHOLDER = "git.example.com"

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
environments = pytest.mark.parametrize("environment", ["dev", "prod"])


def named(kind: str, *folders: str, root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """What folders of gitops/ have of a kind, by name."""
    objects = [one for folder in folders for one in rendered(root / "gitops" / folder)]
    return {one["metadata"]["name"]: one for one in of_kind(kind, objects)}


def applications(environment: str, root: Path = ROOT) -> dict[str, dict[str, Any]]:
    folder = f"argocd/{environment}"
    return named("Application", folder, f"{folder}/applications", root=root)


def delivered(path: str, patches: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What is at a path of the repository, with patches as Argo CD and Flux lay them on top."""
    there = checkout.copy(folder / "repository")
    return rendered(kustomization(there / "delivered", resources=[f"../{path}"], patches=patches))


@pytest.mark.parametrize("tool", ["argocd", "flux"])
def test_what_a_user_changes_is_in_one_place(tool):
    files = [file for file in (ROOT / "gitops" / tool).rglob("*") if file.is_file()]

    assert sum(file.read_text().count(PLACEHOLDER) for file in files) == 1


@needs_kubectl
@environments
def test_the_settings_reach_every_application_and_project(environment, tmp_path):
    there = checkout.copy(tmp_path / "repository")
    settings = there / "gitops/argocd/common/settings.yaml"
    data = {"repository": "ssh://mine/repo", "revision": "stable", "dev": "https://dev", "prod": "https://prod"}
    settings.write_text(yaml.safe_dump(yaml.safe_load(settings.read_text()) | {"data": data}))

    apps = applications(environment, there)
    projects = named("AppProject", f"argocd/{environment}", root=there)

    sources = [app["spec"]["source"] for app in apps.values()]
    assert {(source["repoURL"], source["targetRevision"]) for source in sources} == {("ssh://mine/repo", "stable")}
    assert [project["spec"]["sourceRepos"] for project in projects.values()] == [["ssh://mine/repo"]] * 3
    servers = {name: app["spec"]["destination"]["server"] for name, app in apps.items()}
    assert servers.pop(f"etl-{environment}") == "https://kubernetes.default.svc"
    assert set(servers.values()) == {f"https://{environment}"}
    for app in apps.values():
        allowed = projects[app["spec"]["project"]]["spec"]["destinations"]
        assert app["spec"]["destination"] in allowed


@needs_kubectl
@environments
def test_a_project_admits_what_its_applications_bring(environment):
    projects = named("AppProject", f"argocd/{environment}")

    for app in applications(environment).values():
        spec = projects[app["spec"]["project"]]["spec"]
        namespaces = {destination["namespace"] for destination in spec["destinations"]}
        for one in rendered(ROOT / app["spec"]["source"]["path"]):
            within = one["metadata"].get("namespace")
            admitted = spec["namespaceResourceWhitelist" if within else "clusterResourceWhitelist"]
            group = one["apiVersion"].rpartition("/")[0]
            assert {"group": group, "kind": one["kind"]} in admitted
            assert within is None or within in namespaces


@needs_kubectl
@environments
def test_the_platforms_project_admits_the_component_for_monitoring(environment, tmp_path):
    admitted = named("AppProject", f"argocd/{environment}")[f"etl-{environment}-platform"]["spec"]
    mine = tmp_path / "mine"
    kustomization(mine, namespace="any", components=[beside(mine, CONFIG / "components/monitoring")])

    for one in rendered(mine):
        group = one["apiVersion"].rpartition("/")[0]
        assert {"group": group, "kind": one["kind"]} in admitted["namespaceResourceWhitelist"]


@needs_kubectl
@environments
def test_the_data_team_may_bring_no_rights_no_secrets_and_nothing_for_the_cluster(environment):
    spec = named("AppProject", f"argocd/{environment}")[f"etl-{environment}-pipelines"]["spec"]

    kinds = {admitted["kind"] for admitted in spec["namespaceResourceWhitelist"]}
    assert spec["clusterResourceWhitelist"] == []
    assert not kinds & {"*", "Secret", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "ResourceQuota"}


@needs_kubectl
@environments
def test_argo_cd_never_takes_what_holds_pipelines_or_data(environment, tmp_path):
    kept = set()
    for name, app in named("Application", f"argocd/{environment}/applications").items():
        source = app["spec"]["source"]
        patches = source.get("kustomize", {}).get("patches", [])
        for one in delivered(source["path"], patches, tmp_path / name):
            options = one["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options")
            if options == "Prune=false,Delete=false":
                kept.add((one["kind"], one["metadata"]["name"]))

    crd = ("CustomResourceDefinition", "etlpipelines.etlpipeline.dev")
    assert kept == {crd, ("Namespace", f"etl-{environment}")}


@needs_kubectl
@environments
def test_flux_never_takes_what_holds_pipelines_or_data(environment, tmp_path):
    kept = set()
    for name, each in named("Kustomization", f"flux/{environment}").items():
        spec = each["spec"]
        for one in delivered(spec["path"], spec.get("patches", []), tmp_path / name):
            if one["metadata"].get("annotations", {}).get("kustomize.toolkit.fluxcd.io/prune") == "disabled":
                kept.add((one["kind"], one["metadata"]["name"]))

    crd = ("CustomResourceDefinition", "etlpipelines.etlpipeline.dev")
    # The rights stay, too: Flux deletes the pipelines with them, in whatever order all is removed.
    rights = {(kind, f"etl-{environment}-pipelines") for kind in ("ServiceAccount", "RoleBinding")}
    assert kept == {crd, ("Namespace", f"etl-{environment}"), *rights}


@needs_kubectl
@environments
def test_flux_leaves_what_others_add_to_a_pipeline(environment, tmp_path):
    spec = named("Kustomization", f"flux/{environment}")[f"etl-{environment}-pipelines"]["spec"]

    pipelines = list(of_kind("EtlPipeline", delivered(spec["path"], spec["patches"], tmp_path)))

    assert pipelines
    for one in pipelines:
        assert one["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/ssa"] == "Merge"


@needs_kubectl
@environments
def test_flux_brings_the_pipelines_last_and_with_rights_in_their_namespace_alone(environment):
    flux = named("Kustomization", f"flux/{environment}")
    pipelines = flux[f"etl-{environment}-pipelines"]["spec"]

    assert {needed["name"] for needed in pipelines["dependsOn"]} == flux.keys() - {f"etl-{environment}-pipelines"}
    assert all(one["spec"]["wait"] and one["spec"]["prune"] for one in flux.values())
    (bound,) = named("RoleBinding", f"flux/{environment}/namespace").values()
    assert bound["metadata"]["namespace"] == f"etl-{environment}"
    assert bound["subjects"][0]["name"] == pipelines["serviceAccountName"]


@pytest.fixture(scope="module")
def flux_schemas() -> dict[str, list[Any]]:
    """By kind, as Flux's own definitions have them; skips where they cannot be fetched."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed, which fetches them")
    fetched = subprocess.run(["go", "mod", "download", "-json", *FLUX], capture_output=True, text=True, check=False)
    if fetched.returncode:
        pytest.skip(f"Flux's definitions cannot be fetched: {fetched.stdout}")
    found = defaultdict(list)
    for module in json.loads("[" + fetched.stdout.replace("}\n{", "},{") + "]"):
        for file in (Path(module["Dir"]) / "config/crd/bases").glob("*.yaml"):
            spec = yaml.safe_load(file.read_text())["spec"]
            (stored,) = (version for version in spec["versions"] if version["storage"])
            found[f"{spec['group']}/{stored['name']}/{spec['names']['kind']}"].append(_closed(stored["schema"]))
    return found


def _closed(schema: Any) -> Any:
    """Without room for what is not in it."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    return closed | ({"additionalProperties": False} if isinstance(closed.get("properties"), dict) else {})


@needs_kubectl
@environments
def test_flux_knows_every_field_that_is_said_to_it(environment, flux_schemas):
    for one in rendered(ROOT / "gitops/flux" / environment):
        schemas = flux_schemas[f"{one['apiVersion']}/{one['kind']}"]
        assert schemas, one["kind"]
        for schema in schemas:
            schema["openAPIV3Schema"]["properties"]["metadata"] = {"type": "object"}
            jsonschema_rs.validate(schema["openAPIV3Schema"], one)
