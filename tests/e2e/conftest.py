"""A cluster of the tests' own, made as `make kind-up` makes one, and gone when they have ended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.kube import SOURCE, SYSTEM, Kube, Pipeline
from images.engine import ROOT, tried, why_no_engine

#: As config/components/postgres names it.
POSTGRES = "postgres:17-bookworm"


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    with made_cluster(tmp_path_factory) as cluster:
        yield cluster


@contextmanager
def made_cluster(tmp_path_factory: pytest.TempPathFactory, **settings: str) -> Iterator[Kube]:
    """With the operator on it, and the sample pipeline. Skips where there can be none."""
    if reason := why_no_engine():
        pytest.skip(reason)
    if missing := [command for command in ("kind", "kubectl") if shutil.which(command) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    name = f"etl-test-{uuid.uuid4().hex[:8]}"
    kubeconfig = str(tmp_path_factory.mktemp("kind") / "kubeconfig")
    environ = {**os.environ, "KUBECONFIG": kubeconfig, **settings}
    try:
        made = subprocess.run([ROOT / "tools/kind-up", name], env=environ, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        yield Kube(name, kubeconfig)
    finally:
        subprocess.run(["kind", "delete", "cluster", "--name", name], env=environ, capture_output=True, check=False)


@contextmanager
def cluster_of(workers: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """With so many nodes beside that of its control plane."""
    config = tmp_path_factory.mktemp("nodes") / "kind.json"
    nodes = [{"role": "control-plane"}, *[{"role": "worker"}] * workers]
    config.write_text(json.dumps({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes}))
    with made_cluster(tmp_path_factory, KIND_CONFIG=str(config)) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def postgres_image(cluster: Kube) -> None:
    """On the cluster, as this machine has it; where it has none, the cluster pulls it."""
    load_postgres(cluster)


def load_postgres(cluster: Kube) -> None:
    if not tried("image", "inspect", POSTGRES).returncode:
        loaded = subprocess.run(
            ["kind", "load", "docker-image", "--name", cluster.cluster, POSTGRES],
            capture_output=True,
            text=True,
            check=False,
        )
        assert loaded.returncode == 0, loaded.stderr


@pytest.fixture
def kube(cluster: Kube, request: pytest.FixtureRequest) -> Iterator[Kube]:
    """A namespace of the test's own, where pods must be as contained as can be."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    cluster("create", "namespace", name)
    cluster("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    there = cluster.within(name)
    yield there
    if getattr(request.node, "has_failed", False):
        for asked in (
            ("get", "etlpipelines,deployments,jobs,pods,pvc,cronjobs", "--output", "wide"),
            ("describe", "etlpipelines"),
            ("get", "events"),
        ):
            print(there.tried(*asked).stdout)
        print(cluster.within(SYSTEM).tried("logs", "deployment/etl-operator", "--tail", "60").stdout)
    cluster("delete", "namespace", name, "--wait=false")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """What is left of a failure is kept: see `kube`."""
    report = yield
    if report.when == "call" and report.failed:
        item.has_failed = True  # type: ignore[attr-defined]
    return report


@pytest.fixture
def pipeline(kube: Kube) -> Callable[..., Pipeline]:
    """Make a pipeline that reads the real jsonplaceholder: ``pipeline("posts", suspend=True)``."""

    def make(name: str = "posts", **spec: Any) -> Pipeline:
        kube.apply(document(name, **spec))
        return Pipeline(kube, name)

    return make


def document(name: str = "posts", **spec: Any) -> dict[str, Any]:
    usual = {
        "extract": {"url": f"{SOURCE}/posts"},
        "load": {"table": "posts", "key": ["id"]},
    }
    return {
        "apiVersion": "etlpipeline.dev/v1alpha1",
        "kind": "EtlPipeline",
        "metadata": {"name": name},
        "spec": usual | spec,
    }
