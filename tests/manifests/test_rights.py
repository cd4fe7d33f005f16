"""What the operator may do, by its rules; what the API server makes of them is in e2e/test_operator.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from images.engine import ROOT
from manifests.rendering import CONFIG, KUSTOMIZATIONS, beside, kustomization, of_kind, rendered, shown

RIGHTS = ("ClusterRole", "Role")


def rules_of(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for kind in RIGHTS:
        for role in of_kind(kind, objects):
            yield from role["rules"]


@pytest.mark.parametrize("path", [ROOT, CONFIG / "namespaced"], ids=shown)
def test_no_rule_says_all_nor_reaches_secrets_nor_gives_itself_more(path: Path):
    for rule in rules_of(rendered(path)):
        assert not {"*", "escalate", "bind", "impersonate"} & set(rule["verbs"])
        assert "*" not in rule["apiGroups"] + rule["resources"]
        assert not {"secrets", "pods/exec", "serviceaccounts/token"} & set(rule["resources"])


def test_the_operator_of_one_namespace_has_nothing_outside_of_it(tmp_path: Path):
    mine = kustomization(
        tmp_path / "mine", namespace="team", resources=[beside(tmp_path / "mine", CONFIG / "namespaced")]
    )

    objects = rendered(mine)

    assert {one["metadata"].get("namespace") for one in objects} == {"team"}
    assert {one["kind"] for one in objects} == {"ServiceAccount", "Role", "RoleBinding", "Deployment"}
    assert [one["roleRef"]["kind"] for one in of_kind("RoleBinding", objects)] == ["Role", "Role"]


def test_the_operator_of_one_namespace_has_the_rules_of_that_of_all():
    (everywhere,) = (one for one in of_kind("ClusterRole", rendered(ROOT)) if one["metadata"]["name"] == "etl-operator")
    (here,) = (
        one for one in of_kind("Role", rendered(CONFIG / "namespaced")) if one["metadata"]["name"] == "etl-operator"
    )

    assert here["rules"] == everywhere["rules"]


def test_the_operator_of_chosen_namespaces_is_bound_in_each_of_them(tmp_path: Path):
    mine, team = tmp_path / "mine", tmp_path / "team"
    chosen = CONFIG / "components/chosen-namespaces"
    kustomization(mine, resources=[beside(mine, CONFIG / "default")], components=[beside(mine, chosen / "operator")])
    kustomization(team, namespace="team", components=[beside(team, chosen / "namespace")])

    (binding,) = rendered(team)

    assert not any(of_kind("ClusterRoleBinding", rendered(mine)))
    assert binding["metadata"]["namespace"] == "team"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "etl-operator", "namespace": "etlpipeline-system"}
    ]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=shown)
def test_no_pod_has_a_token_but_the_operators(path: Path):
    for kind in ("Deployment", "StatefulSet"):
        for one in of_kind(kind, rendered(path)):
            has_token = one["spec"]["template"]["spec"]["automountServiceAccountToken"]
            assert has_token is (one["metadata"]["name"] == "etl-operator")
    for account in of_kind("ServiceAccount", rendered(path)):
        assert account["automountServiceAccountToken"] is False
