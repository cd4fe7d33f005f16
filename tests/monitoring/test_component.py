"""The component fits the pods and Services that it is about, and the schema of the Prometheus Operator."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from etl_operator.kinds import METRICS_LABEL
from manifests.rendering import CONFIG, beside, kustomization, rendered, shown
from manifests.test_rendered import OPERATORS
from monitoring.shipped import COMPONENT, DOCUMENT, ROOT, dashboard, monitors, panels
from operator_tests.cluster_state import State, resource

SCHEMAS = Path(__file__).parent / "schemas"
RESOURCES = [
    each for name in ("monitors.yaml", "alerts.yaml") for each in yaml.safe_load_all((COMPONENT / name).read_text())
]


@pytest.fixture(scope="module")
def deployment() -> Any:
    return yaml.safe_load((ROOT / "config/operator/operator.yaml").read_text())


@pytest.fixture(scope="module")
def children() -> list[dict[str, Any]]:
    """What the operator makes of a pipeline."""
    return list(State(resource()).plan().apply)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return bool(selector["matchLabels"].items() <= labels.items())


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_a_resource_is_as_the_prometheus_operator_wants_it(resource):
    schema = json.loads((SCHEMAS / f"{resource['kind'].lower()}.json").read_text())

    assert list(jsonschema_rs.validator_for(schema).iter_errors(resource)) == []


def test_a_field_that_the_prometheus_operator_does_not_know_would_be_noticed():
    monitor = json.loads(json.dumps(monitors()["PodMonitor"]))
    monitor["spec"]["podMetricsEndpoints"][0]["honourLabels"] = True
    schema = json.loads((SCHEMAS / "podmonitor.json").read_text())

    assert not jsonschema_rs.is_valid(schema, monitor)


def test_the_pods_of_the_operator_are_scraped(deployment):
    pod = deployment["spec"]["template"]
    monitor = monitors()["PodMonitor"]["spec"]

    assert selects(monitor["selector"], pod["metadata"]["labels"])
    ports = [port["name"] for container in pod["spec"]["containers"] for port in container["ports"]]
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == ports


def test_of_a_pipeline_the_service_is_scraped_and_nothing_else(children):
    monitor = monitors()["ServiceMonitor"]["spec"]

    chosen = [
        child
        for child in children
        if child["kind"] == "Service" and selects(monitor["selector"], child["metadata"]["labels"])
    ]

    assert [child["metadata"]["name"] for child in chosen] == ["posts-service"]
    assert [port["name"] for port in chosen[0]["spec"]["ports"]] == [each["port"] for each in monitor["endpoints"]]
    # What the monitor takes for the pipeline's name, as Prometheus spells a label.
    assert chosen[0]["metadata"]["labels"]["etlpipeline.dev/pipeline"] == "posts"
    sources = [source for each in monitor["endpoints"][0]["relabelings"] for source in each.get("sourceLabels", ())]
    assert sources == ["__meta_kubernetes_service_label_etlpipeline_dev_pipeline"]


def test_a_namespace_with_the_label_for_metrics_may_reach_operator_and_services(children):
    policies = [
        next(
            child
            for child in children
            if child["kind"] == "NetworkPolicy" and child["metadata"]["name"] == "posts-service"
        ),
        yaml.safe_load((ROOT / "config/components/network-policies/operator.yaml").read_text()),
    ]

    for policy in policies:
        callers = [caller for rule in policy["spec"]["ingress"] for caller in rule["from"]]
        assert {"namespaceSelector": {"matchLabels": {METRICS_LABEL: "enabled"}}} in callers


def test_runs_are_reached_by_nobody_all_the_same(children):
    policy = next(
        child for child in children if child["kind"] == "NetworkPolicy" and child["metadata"]["name"] == "posts-run"
    )

    assert policy["spec"]["ingress"] == []


@pytest.mark.parametrize("base", OPERATORS, ids=shown)
def test_it_goes_on_top_of_each_installation(base: Path, tmp_path: Path):
    mine = kustomization(
        tmp_path / "mine",
        namespace="etlpipeline-system",
        resources=[beside(tmp_path / "mine", base)],
        components=[beside(tmp_path / "mine", COMPONENT)],
    )

    made = by_name(rendered(mine))

    for kind, name in {"PodMonitor": "etl-operator", "ServiceMonitor": "etl-services"}.items():
        assert made[kind, name]["metadata"]["namespace"] == "etlpipeline-system"
    dashboards = made["ConfigMap", "etl-dashboard"]
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboards["data"]["etlpipeline.json"]) == dashboard()


def test_the_kustomization_of_the_documentation_does_what_it_says(tmp_path: Path):
    text = re.search(r"^# mine/kustomization.yaml\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert text
    shutil.copytree(CONFIG, tmp_path / "config")
    kustomization(tmp_path / "mine", **yaml.safe_load(text[1]))

    made = by_name(rendered(tmp_path / "mine"))

    labelled = {kind for (kind, _), each in made.items() if "release" in each["metadata"].get("labels", {})}
    assert labelled == {"PodMonitor", "ServiceMonitor", "PrometheusRule"}


def test_what_the_documentation_adds_to_it_makes_links_of_runbooks_and_finds_every_operator(tmp_path: Path):
    first, *more = (
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    )
    for fields in more:
        first |= {name: first.get(name, []) + value for name, value in fields.items()}
    shutil.copytree(CONFIG, tmp_path / "config")
    kustomization(tmp_path / "mine", **first)

    made = by_name(rendered(tmp_path / "mine"))

    assert made["PodMonitor", "etl-operator"]["spec"]["namespaceSelector"] == {"any": True}
    groups = made["PrometheusRule", "etlpipeline"]["spec"]["groups"]
    runbooks = [rule["annotations"]["runbook"] for group in groups for rule in group["rules"]]
    assert all(re.match(r"https://.*/docs/monitoring\.md#etl", runbook) for runbook in runbooks)
    assert not any(name.startswith("etl-runbooks") for _, name in made)


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def test_the_panels_of_the_dashboard_do_not_overlap_and_each_has_an_id():
    ids = [panel["id"] for panel in dashboard()["panels"]]
    cells = [
        (x, y)
        for panel in dashboard()["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(set(ids)) == len(ids)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_every_query_of_a_panel_has_a_name_of_its_own():
    for panel in panels():
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names), panel["title"]
