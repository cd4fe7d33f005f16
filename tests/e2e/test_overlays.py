"""Kustomizations on a cluster: valid, applied without a warning, twice without a change, and gone when deleted."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.conftest import document
from e2e.kube import BARE, SYSTEM, Kube, Pipeline, eventually
from e2e.schemas import LOCATION, write_schemas
from images.engine import ROOT
from manifests.rendering import CONFIG, KUSTOMIZATIONS, beside, kustomization, of_kind, rendered, rendered_text, shown
from manifests.who_may import pod, surprises

OVERLAYS = CONFIG / "overlays"
#: The labels by which everything of ours is found.
LABELS = ("app.kubernetes.io/part-of=etlpipeline", "app.kubernetes.io/name=etlpipeline", "etlpipeline.dev/pipeline")
#: What a pipeline owns is deleted by the garbage collector. It learns of a new CRD within half a minute, and must have
#: heard of the pipeline before the CRD is gone: this waits for it.
FOREGROUND = "--cascade=foreground"


def kubectl(cluster: Kube, command: str, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A command for all of a kustomization, in the one namespace that its objects have."""
    there = {one["metadata"].get("namespace", "default") for one in rendered(path)} - {"default"} or {"default"}
    return cluster.within(*there).tried(command, "--kustomize", str(path), *options)


def apply(cluster: Kube, path: Path) -> None:
    """Nothing that the server says of it is a warning."""
    done = kubectl(cluster, "apply", path, "--server-side", "--validate=strict")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def delete(cluster: Kube, path: Path, *options: str) -> None:
    done = kubectl(cluster, "delete", path, *options)
    assert done.returncode == 0, done.stderr


def remove(cluster: Kube, *paths: Path) -> None:
    """Whether they are there or not, and their definition with them."""
    for path in paths:
        kubectl(cluster, "delete", path, "--ignore-not-found", FOREGROUND)


def await_operator(cluster: Kube) -> None:
    cluster("wait", "--for=condition=Established", "crd/etlpipelines.etlpipeline.dev", "--timeout=60s")
    cluster.within(SYSTEM)("rollout", "status", "deployment/etl-operator", "--timeout=120s")


def install(cluster: Kube, *paths: Path) -> None:
    """One after the other, pipelines once there is an operator."""
    for path in paths:
        apply(cluster, path)
        if any(of_kind("CustomResourceDefinition", rendered(path))):
            await_operator(cluster)


@pytest.fixture(scope="module")
def namespaces(cluster: Kube) -> Iterator[None]:
    for environment in ("dev", "prod"):
        apply(cluster, OVERLAYS / environment / "namespace")
    yield
    remove(cluster, OVERLAYS / "dev/namespace", OVERLAYS / "prod/namespace")


@pytest.fixture(scope="module")
def dev(cluster: Kube, namespaces: None) -> list[Path]:
    """The overlays of dev, installed."""
    paths = [OVERLAYS / "dev" / part for part in ("namespace", "operator", "pipelines")]
    install(cluster, *paths)
    Pipeline(cluster.within("etl-dev"), "posts").ready()
    return paths


@pytest.fixture(scope="module")
def prod(cluster: Kube, namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The overlays of prod instead, as somebody has them who builds the images and has a source of their own."""
    folder = tmp_path_factory.mktemp("prod")
    operator, pipelines = folder / "operator", folder / "pipelines"
    kustomization(
        operator,
        resources=[beside(operator, OVERLAYS / "prod/operator")],
        images=[{"name": f"etlpipeline/{name}", "newTag": "dev"} for name in ("operator", "service", "frontend")],
        patches=[{"patch": json.dumps(_ALLOWING_THE_SAMPLE)}],
    )
    kustomization(
        pipelines,
        resources=[beside(pipelines, OVERLAYS / "prod/pipelines")],
        patches=[{"patch": json.dumps(_READING_THE_SAMPLE)}],
    )
    remove(cluster, OVERLAYS / "dev/pipelines", OVERLAYS / "dev/operator")
    paths = [OVERLAYS / "prod/namespace", operator, pipelines]
    install(cluster, *paths)
    Pipeline(cluster.within("etl-prod"), "posts").ready()
    yield paths
    # As `tools/kind-up` leaves it, for what comes after.
    remove(cluster, pipelines, operator)
    install(cluster, OVERLAYS / "dev/operator", CONFIG / "samples")
    Pipeline(cluster, "posts").ready()


_ALLOWING_THE_SAMPLE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "etl-operator"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {"name": "operator", "env": [{"name": "ETL_ALLOWED_SOURCES", "value": "sample-api.default"}]}
                ]
            }
        }
    },
}
_READING_THE_SAMPLE = {
    "apiVersion": "etlpipeline.dev/v1alpha1",
    "kind": "EtlPipeline",
    "metadata": {"name": "posts"},
    "spec": {"extract": {"url": "http://sample-api.default:3000/posts"}},
}


@pytest.fixture(scope="module")
def schemas(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    versions = {one["apiVersion"] for path in KUSTOMIZATIONS for one in rendered(path)}
    write_schemas(cluster, versions, folder)
    return folder


def judged(text: str, schemas: Path) -> Any:
    found = shutil.which("kubeconform") or shutil.which(CONFIG.parent / ".venv-lint/bin/kubeconform")
    command = found or pytest.skip("kubeconform is not here; `make lint` makes it, with Go")
    options = ["-strict", "-summary", "-output", "json", "-schema-location", f"{schemas}/{LOCATION}"]
    return json.loads(
        subprocess.run([command, *options], input=text, capture_output=True, text=True, check=False).stdout
    )


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=shown)
def test_every_object_is_as_its_schema_says(path: Path, schemas: Path):
    said = judged(rendered_text(path), schemas)

    assert said["resources"] == []
    assert said["summary"] == {"valid": len(rendered(path)), "invalid": 0, "errors": 0, "skipped": 0}


def test_a_field_that_no_schema_has_is_noticed(schemas: Path):
    for misspelt in ({"replica": 2}, {"replicas": "two"}):
        service, deployment, pipeline = copy.deepcopy(rendered(CONFIG / "samples"))
        deployment["spec"] |= misspelt
        pipeline["spec"]["load"]["tabel"] = "posts"

        said = judged(yaml.safe_dump_all([service, deployment, pipeline]), schemas)

        assert said["summary"] == {"valid": 1, "invalid": 2, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=shown)
def test_the_server_would_take_it_without_a_warning(path: Path, cluster: Kube, namespaces: None):
    options = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"]

    done = kubectl(cluster, "apply", path, *options)

    assert (done.returncode, done.stderr) == (0, "")


def versions(cluster: Kube, path: Path) -> dict[str, tuple[str, int]]:
    found = json.loads(kubectl(cluster, "get", path, "--output", "json").stdout)
    return {
        f"{one['kind']} {one['metadata']['name']}": (
            one["metadata"]["resourceVersion"],
            one["metadata"].get("generation", 0),
        )
        for one in found.get("items", [found])
    }


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_what_is_applied_again_changes_nothing(environment: str, cluster: Kube, request: pytest.FixtureRequest):
    for path in request.getfixturevalue(environment):
        before = versions(cluster, path)

        apply(cluster, path)

        assert versions(cluster, path) == before
        differing = kubectl(cluster, "diff", path, "--server-side")
        assert (differing.returncode, differing.stdout) == (0, "")


def test_every_pod_is_contained_and_has_no_token_but_the_operator(cluster: Kube, prod: list[Path]):
    there = cluster.within("etl-prod")
    posts = Pipeline(there, "posts")
    posts.request("contained")
    posts.ended("contained")

    for namespace in (SYSTEM, "etl-prod"):
        labels = cluster.get("namespace", namespace)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        pods = cluster.within(namespace).list("pods")
        for one in pods:
            mounts = [mount["mountPath"] for mount in one["spec"]["containers"][0]["volumeMounts"]]
            has_token = any(path.startswith("/var/run/secrets/kubernetes.io") for path in mounts)
            assert has_token is (namespace == SYSTEM), one["metadata"]["name"]
        refused = cluster.within(namespace).tried("run", "open", "--image=etlpipeline/service:dev")
        assert "violates PodSecurity" in refused.stderr
    components = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in there.list("pods")}
    assert components == {"service", "frontend", "run"}


def test_who_may_talk_to_whom_holds_for_real_pods(cluster: Kube, prod: list[Path]):
    there = cluster.within("etl-prod")
    Pipeline(there, "posts").request("talking")
    Pipeline(there, "posts").ended("talking")
    pods = {"neighbour": [pod("etl-prod", {"app": "other"}, "10.244.9.1"), pod(SYSTEM, {"app": "other"}, "10.244.9.2")]}
    for one in [*cluster.within(SYSTEM).list("pods"), *there.list("pods")]:
        metadata = one["metadata"]
        labels = cluster.get("namespace", metadata["namespace"])["metadata"]["labels"]
        labels = {name: value for name, value in labels.items() if name != "kubernetes.io/metadata.name"}
        found = pod(metadata["namespace"], metadata["labels"], one["status"]["podIP"], **labels)
        pods.setdefault(metadata["labels"]["app.kubernetes.io/component"], []).append(found)

    assert {name: len(found) for name, found in pods.items() if name != "run"} == {
        "operator": 2,
        "service": 1,
        "frontend": 2,
        "neighbour": 2,
    }
    assert surprises(cluster.list("networkpolicies", "--all-namespaces"), pods) == []


def ours(cluster: Kube) -> set[str]:
    """All that there is of ours, of whatever kind, by label."""
    kinds = ",".join(cluster("api-resources", "--verbs=list,delete", "--output=name").split())
    found = set()
    for label in LABELS:
        for one in cluster.list(kinds, "--all-namespaces", "--selector", label):
            metadata = one["metadata"]
            found.add(f"{one['kind']} {metadata.get('namespace', '')}/{metadata['name']}")
    return found


def data(found: set[str]) -> set[str]:
    return {one for one in found if one.startswith("PersistentVolumeClaim ")}


def left(cluster: Kube, *kept: str) -> set[str]:
    """Wait until there is no more than that, and data, which is returned: what is owned goes soon after its owners."""
    with suppress(AssertionError):
        eventually(lambda: (found := ours(cluster)) - data(found) <= set(kept), 120)
    found = ours(cluster)
    assert found - data(found) == set(kept)
    return data(found)


def test_what_is_deleted_leaves_nothing_but_data_that_was_to_stay(cluster: Kube, prod: list[Path]):
    namespace, operator, pipelines = prod
    assert {"Deployment etlpipeline-system/etl-operator", "Deployment etl-prod/posts-service"} <= ours(cluster)

    delete(cluster, pipelines, FOREGROUND)
    delete(cluster, operator)

    kept = left(cluster, "Namespace /etl-dev", "Namespace /etl-prod", "NetworkPolicy etl-prod/default-deny")
    # That of dev went with its pipeline.
    assert {one for one in kept if " etl-" in one} == {"PersistentVolumeClaim etl-prod/posts-data"}
    delete(cluster, namespace)
    delete(cluster, OVERLAYS / "dev/namespace")
    assert not any(" etl-" in one for one in left(cluster))


def test_the_root_is_installed_by_a_plain_apply_and_gone_with_pipelines_and_all(cluster: Kube, prod: list[Path]):
    remove(cluster, *reversed(prod))

    first = kubectl(cluster, "apply", ROOT)
    await_operator(cluster)
    again = kubectl(cluster, "apply", ROOT)
    apply(cluster, CONFIG / "samples")
    Pipeline(cluster, "posts").ready()
    cluster.apply(document("fleeting", **BARE))
    cluster("delete", "etlpipeline", "fleeting", FOREGROUND)
    delete(cluster, ROOT)

    assert (first.returncode, first.stderr, again.stderr) == (0, "", "")
    assert all(line.endswith(" unchanged") for line in again.stdout.splitlines())
    assert "PersistentVolumeClaim default/posts-data" in left(cluster)
