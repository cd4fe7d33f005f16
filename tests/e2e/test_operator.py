"""What can be said of the operator in its Deployment: how many there are, and where it works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from e2e.conftest import document
from e2e.kube import BARE, SYSTEM, Kube, Pipeline
from e2e.rights import may, said
from manifests.rendering import CONFIG, beside, kustomization


def test_of_two_operators_one_works_and_the_other_takes_over(pipeline: Callable[..., Pipeline], cluster: Kube):
    system = cluster.within(SYSTEM)

    def holder() -> str:
        return str(system.get("lease", "etl-operator")["spec"]["holderIdentity"])

    system("set", "env", "deployment/etl-operator", "ETL_LEASE=etl-operator")
    system("scale", "deployment/etl-operator", "--replicas=2")
    try:
        system("rollout", "status", "deployment/etl-operator", "--timeout=120s")
        posts = pipeline(run={"requestId": "one"}, **BARE)
        posts.ended("one")
        first = holder()
        system("delete", "pod", first, "--grace-period=0", "--force")
        posts.change(run={"requestId": "two"})
        posts.ended("two")

        assert holder() not in ("", first)
        assert posts.requested() == Counter(["one", "two"])
    finally:
        system("scale", "deployment/etl-operator", "--replicas=1")
        system("set", "env", "deployment/etl-operator", "ETL_LEASE=")
        system("rollout", "status", "deployment/etl-operator", "--timeout=120s")


def test_an_operator_of_one_namespace_needs_no_right_beyond_it(pipeline, cluster: Kube, tmp_path: Path):
    system = cluster.within(SYSTEM)
    kustomization(
        tmp_path,
        namespace=SYSTEM,
        resources=[beside(tmp_path, CONFIG / "overlays/dev/operator")],
        components=[beside(tmp_path, CONFIG / "components/namespaced")],
    )
    system("delete", "clusterrolebinding/etl-operator", "clusterrole/etl-operator")
    system("apply", "--server-side", "--kustomize", str(tmp_path))
    try:
        system("rollout", "status", "deployment/etl-operator", "--timeout=120s")
        elsewhere = pipeline(run={"requestId": "one"}, **BARE)
        system.apply(document("posts", run={"requestId": "one"}, storage={"retain": False}, **BARE))

        assert Pipeline(system, "posts").ended("one")["result"] == "Succeeded"
        assert "conditions" not in elsewhere.status
        assert may(cluster, SYSTEM) == said("In every namespace") | said("In its own namespace")
        assert may(cluster, "default") == set()
    finally:
        system.tried("delete", "etlpipeline", "posts")
        system("apply", "--server-side", "--kustomize", str(CONFIG / "overlays/dev/operator"))
        system("delete", "rolebinding/etl-operator", "role/etl-operator")
        system("rollout", "status", "deployment/etl-operator", "--timeout=120s")
    assert elsewhere.ended("one")["result"] == "Succeeded"


def test_what_the_operator_may_is_what_reviewers_read(cluster: Kube):
    everywhere, at_home = may(cluster, "default"), may(cluster, SYSTEM)

    assert everywhere == said("In every namespace")
    assert at_home - everywhere == said("In its own namespace")


def test_who_administers_a_namespace_installs_an_operator_in_it(kube: Kube, tmp_path: Path):
    kustomization(tmp_path, namespace=kube.namespace, resources=[beside(tmp_path, CONFIG / "namespaced")])
    kube("create", "rolebinding", "ann", "--clusterrole=admin", "--user=ann")

    kube("apply", "--server-side", "--as=ann", "--kustomize", str(tmp_path))

    kube("rollout", "status", "deployment/etl-operator", "--timeout=120s")
    kube("delete", "--as=ann", "--kustomize", str(tmp_path))
