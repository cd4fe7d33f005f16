"""Who may talk to whom, by the policies as they are rendered; e2e/test_overlays.py has real pods for it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from etl_operator.manifests import Given, children, request_job
from etl_operator.resource import read_resource
from etl_operator.settings import Settings
from manifests.policies import Network, Outside, Pod, Policy
from manifests.rendering import CONFIG, beside, kustomization, of_kind, rendered
from manifests.who_may import pod, surprises
from operator_tests.cluster_state import resource

HOME, TEAM = "etlpipeline-system", "etl-prod"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("database")
    component = beside(folder, CONFIG / "components/postgres")
    return rendered(kustomization(folder, namespace=TEAM, components=[component]))


@pytest.fixture(scope="module")
def policies(database: list[dict[str, Any]]) -> list[Policy]:
    """Of the overlays of prod, of a PostgreSQL there, and of the operator for a pipeline there."""
    overlays = [*rendered(CONFIG / "overlays/prod/operator"), *rendered(CONFIG / "overlays/prod/namespace")]
    return list(of_kind("NetworkPolicy", [*overlays, *database, *made()]))


@pytest.fixture(scope="module")
def pods(database: list[dict[str, Any]]) -> dict[str, list[Pod]]:
    """By what they are."""
    (operator,) = of_kind("Deployment", rendered(CONFIG / "overlays/prod/operator"))
    (server,) = of_kind("StatefulSet", database)
    found = {
        "operator": [_pod(HOME, operator["spec"]["template"], 2)],
        "database": [_pod(TEAM, server["spec"]["template"], 5)],
        "neighbour": [pod(TEAM, {"app": "other"}, "10.244.0.3"), pod(HOME, {"app": "other"}, "10.244.0.4")],
    }
    for number, one in enumerate(made(), 10):
        if template := _template(one):
            component = template["metadata"]["labels"]["app.kubernetes.io/component"]
            found.setdefault(component, []).append(_pod(TEAM, template, number))
    assert {name: len(pods) for name, pods in found.items()} == {
        "operator": 1,
        "database": 1,
        "neighbour": 2,
        "service": 1,
        "frontend": 1,
        "run": 2,
    }
    return found


def made() -> list[dict[str, Any]]:
    """The children of a pipeline, with a run of each kind."""
    body = read_resource(resource({"schedule": {"cron": "@daily"}}, namespace=TEAM))
    assert body.pipeline is not None
    given = Given(body, body.pipeline, Settings(home=HOME))
    return [*children(given), request_job(given, "one")]


def _template(one: dict[str, Any]) -> Any:
    spec = one.get("spec", {})
    return spec.get("jobTemplate", {}).get("spec", spec).get("template")


def _pod(namespace: str, template: dict[str, Any], number: int) -> Pod:
    return pod(namespace, template["metadata"]["labels"], f"10.244.0.{number}")


def test_who_may_talk_to_whom_is_as_the_table_says(policies, pods):
    assert surprises(policies, pods) == []


@pytest.mark.parametrize(
    "kind", ["default-deny", "etl-operator", "posts-service", "posts-run", "posts-frontend", "postgres"]
)
def test_a_policy_that_is_missing_or_admits_all_is_noticed(kind, policies, pods):
    others = [policy for policy in policies if policy["metadata"]["name"] != kind]
    open_ = copy.deepcopy([policy for policy in policies if policy["metadata"]["name"] == kind])
    for policy in open_:
        policy["spec"] |= {"ingress": [{}], "egress": [{}]}

    assert surprises(others, pods)
    assert surprises([*others, *open_], pods)


A = pod("a", {"app": "one"}, "10.0.0.1", tier="front")
B = Pod("b", {"app": "two"}, {"kubernetes.io/metadata.name": "b"}, "10.0.0.2", {"http": 8080})


def policy(namespace: str = "b", selector: dict[str, Any] | None = None, **spec: Any) -> Policy:
    return {"metadata": {"name": "p", "namespace": namespace}, "spec": {"podSelector": selector or {}, **spec}}


@pytest.mark.parametrize(
    ("policies", "lets"),
    [
        ([], True),
        ([policy()], False),
        ([policy("c")], True),
        ([policy(selector={"matchLabels": {"app": "three"}})], True),
        ([policy(selector={"matchExpressions": [{"key": "app", "operator": "In", "values": ["two"]}]})], False),
        ([policy(selector={"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})], True),
        # Of several that select a pod, one that admits is enough.
        ([policy(), policy(ingress=[{}])], True),
        # A pod alone is one of the policy's own namespace; beside a namespace, both must be so.
        ([policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "one"}}}]}])], False),
        ([policy(ingress=[{"from": [{"podSelector": {}, "namespaceSelector": {}}]}])], True),
        ([policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"tier": "front"}}}]}])], True),
        ([policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"tier": "back"}}}]}])], False),
        # Ports: by number, by name, as a range, of one protocol.
        ([policy(ingress=[{"ports": [{"port": 8080}]}])], True),
        ([policy(ingress=[{"ports": [{"port": "http"}]}])], True),
        ([policy(ingress=[{"ports": [{"port": "other"}]}])], False),
        ([policy(ingress=[{"ports": [{"port": 8000, "endPort": 9000}]}])], True),
        ([policy(ingress=[{"ports": [{"port": 8080, "protocol": "UDP"}]}])], False),
        # Egress is policed where it is named, or has rules.
        ([policy("a")], True),
        ([policy("a", policyTypes=["Egress"])], False),
        ([policy("a", egress=[{"to": [{"ipBlock": {"cidr": "192.168.0.0/16"}}]}])], False),
        ([policy("a", egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])], True),
        ([policy("a", egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/24"]}}]}])], False),
    ],
)
def test_policies_are_read_as_kubernetes_reads_them(policies, lets):
    assert Network(tuple(policies), blocks_hold_pods=True).lets(A, B, 8080) is lets


def test_an_address_is_a_pods_to_some_networks_only():
    to_pods = [policy("a", egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])]

    assert not Network(tuple(to_pods), blocks_hold_pods=False).lets(A, B, 8080)
    assert Network(tuple(to_pods), blocks_hold_pods=False).lets(A, Outside("10.0.0.2"), 8080)
