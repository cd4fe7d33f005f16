"""From the last release to what is here, on a cluster of its own: `make e2e-upgrade`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import document
from e2e.kube import SYSTEM, Kube, Pipeline, eventually
from images.engine import ROOT, docker, why_no_engine

FROM = os.environ.get("UPGRADE_FROM")

#: The tags of the images that are upgraded from, and to.
OLD, NEW = "upgrade-from", "upgrade-to"
IMAGE = re.compile(r"\betlpipeline/(?P<name>[a-z-]+):[\w.-]+(@sha256:\w+)?")

pytestmark = [
    pytest.mark.upgrade,
    pytest.mark.skipif(not FROM, reason="there is no release yet; UPGRADE_FROM=COMMIT upgrades from that commit"),
    pytest.mark.timeout(1200),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the last release."""
    folder = tmp_path_factory.mktemp("old")
    archive = subprocess.run(["git", "archive", str(FROM)], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "--extract", "--directory", folder], input=archive, check=True)
    return folder


@pytest.fixture(scope="module")
def cluster(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """With the last release on it, the source of samples, and the images of both."""
    if reason := why_no_engine():
        pytest.skip(reason)
    if missing := [command for command in ("kind", "kubectl") if shutil.which(command) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    images = [*build(old, OLD), *build(ROOT, NEW)]
    kube = Kube(f"etl-test-{uuid.uuid4().hex[:8]}", str(tmp_path_factory.mktemp("kind") / "kubeconfig"))
    node = ["--image", os.environ["KIND_NODE_IMAGE"]] if "KIND_NODE_IMAGE" in os.environ else []
    try:
        kind(kube, "create", "cluster", "--wait", "180s", *node)
        kind(kube, "load", "docker-image", *images)
        kube("apply", "-f", "-", given=rendered(ROOT / "config/samples/sample-api", NEW))
        install(kube, old, OLD)
        kube("rollout", "status", "deployment/sample-api", "--timeout=120s")
        yield kube
    finally:
        kind(kube, "delete", "cluster")


def test_an_upgrade_keeps_rows_history_and_volumes_and_rolls_only_what_has_changed(cluster: Kube):
    posts = pipeline(cluster, "posts")
    pinned = pipeline(
        cluster,
        "pinned",
        service={"image": f"etlpipeline/service:{OLD}"},
        frontend={"image": f"etlpipeline/frontend:{OLD}"},
    )
    for each in (posts, pinned):
        each.request("before")
        assert each.ended("before")["result"] == "Succeeded"
        each.ready()
    rows, runs, volume = told(posts, "/api/posts?limit=200"), told(posts, "/api/etl/runs"), uid(cluster, "posts-data")
    untouched = pods(cluster, "pinned")

    install(cluster, ROOT, NEW)

    eventually(lambda: images(cluster, "posts") == {f"etlpipeline/{part}:{NEW}" for part in ("service", "frontend")})
    posts.ready()
    assert told(posts, "/api/posts?limit=200") == rows
    assert identities(told(posts, "/api/etl/runs")) == identities(runs)
    assert uid(cluster, "posts-data") == volume

    for each in (posts, pinned):
        each.request("after")
        assert each.ended("after")["unchanged"] == 100
        assert each.requested() == {"before": 1, "after": 1}
    # The new operator has seen all of both by now.
    assert pods(cluster, "pinned") == untouched
    assert generations(cluster, "posts") == {"posts-service": 2, "posts-frontend": 2}


def build(folder: Path, tag: str) -> list[str]:
    subprocess.run(["make", "images", f"TAG={tag}"], cwd=folder, check=True, capture_output=True)
    source = f"etlpipeline/sample-api:{tag}"
    docker("build", "--quiet", "--target", "sample-api", "--tag", source, str(folder))
    return [source, *(f"etlpipeline/{name}:{tag}" for name in ("service", "frontend", "operator"))]


def kind(kube: Kube, *command: str) -> None:
    environ = {**os.environ, "KUBECONFIG": kube.kubeconfig}
    subprocess.run(["kind", *command, "--name", kube.cluster], env=environ, check=True, capture_output=True)


def rendered(kustomization: Path, tag: str) -> str:
    """With the images of that tag."""
    command = ["kubectl", "kustomize", str(kustomization)]
    manifests = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return IMAGE.sub(lambda image: f"etlpipeline/{image['name']}:{tag}", manifests)


def install(kube: Kube, folder: Path, tag: str) -> None:
    """The operator, as `tools/kind-up` of that version installs it."""
    overlay = folder / "config/overlays/dev/operator"
    system = kube.within(SYSTEM)
    system("apply", "--server-side", "-f", "-", given=rendered(overlay if overlay.exists() else folder, tag))
    system("wait", "--for=condition=Established", "crd/etlpipelines.etlpipeline.dev", "--timeout=60s")
    system("rollout", "status", "deployment/etl-operator", "--timeout=180s")


def pipeline(kube: Kube, name: str, **spec: Any) -> Pipeline:
    kube.apply(document(name, **spec))
    return Pipeline(kube, name)


def told(pipeline: Pipeline, path: str) -> Any:
    with pipeline.api() as api:
        return api.get(path).raise_for_status().json()


def identities(runs: Any) -> list[str]:
    return [run["id"] for run in (runs if isinstance(runs, list) else runs["runs"])]


def of(name: str) -> tuple[str, ...]:
    return ("--selector", f"etlpipeline.dev/pipeline={name},app.kubernetes.io/component in (service,frontend)")


def pods(kube: Kube, name: str) -> dict[str, int]:
    """By name, and how often they were restarted."""
    return {
        pod["metadata"]["name"]: sum(status["restartCount"] for status in pod["status"]["containerStatuses"])
        for pod in kube.list("pods", *of(name))
    }


def images(kube: Kube, name: str) -> set[str]:
    return {container["image"] for pod in kube.list("pods", *of(name)) for container in pod["spec"]["containers"]}


def generations(kube: Kube, name: str) -> dict[str, int]:
    """How many kinds of pods each Deployment has had."""
    owners = [set_["metadata"]["ownerReferences"][0]["name"] for set_ in kube.list("replicasets", *of(name))]
    return {owner: owners.count(owner) for owner in owners}


def uid(kube: Kube, claim: str) -> str:
    return str(kube.get("pvc", claim)["metadata"]["uid"])
