"""Each alert, fired by the series that it is for and by nothing else, as Prometheus' own promtool judges."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.alert_cases import CASES, HEALTHY, Case, P
from monitoring.shipped import DOCUMENT, alerts, program, rule_groups

PROMTOOL = program("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here; tools/prometheus downloads it")


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_an_alert_fires_when_it_should_and_no_other_does(case, tmp_path):
    judged = judge(case, tmp_path)

    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_alert_is_fired_by_a_case():
    assert {case.alert for case in CASES} - {None} == alerts().keys()


@needs_promtool
def test_a_case_that_expects_the_wrong_alert_is_told(tmp_path):
    judged = judge(Case("all is well", {}, "EtlPipelineStale"), tmp_path)

    assert judged.returncode == 1 and "EtlPipelineStale" in judged.stdout + judged.stderr


@needs_promtool
def test_promtool_finds_nothing_to_say_of_the_rules(tmp_path):
    checked = subprocess.run(
        [str(PROMTOOL), "check", "rules", "--lint=all", "--lint-fatal", written(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("alert", alerts().values(), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_whose_and_what_to_do(alert):
    annotations = alert["annotations"]

    assert alert["labels"]["severity"] in ("critical", "warning")
    assert annotations["runbook"] == f"docs/monitoring.md#{alert['alert'].lower()}"
    document, anchor = DOCUMENT.read_text(), alert["alert"].lower()
    assert f"\n### {alert['alert']}\n" in document
    assert f"\n| [{alert['alert']}](#{anchor}) | {alert['labels']['severity']} | " in document
    if "by (namespace, pipeline)" in alert["expr"]:
        assert {"$labels.namespace", "$labels.pipeline"} <= set(
            re.findall(r"\$labels\.\w+", annotations["description"])
        )


def judge(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    """Promtool's own test of the case: what fires, in which words, and that nothing else does."""
    series = {name.replace("P", P, 1): value for name, value in {**HEALTHY, **case.series}.items()}
    test = {
        "rule_files": [written(folder)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": value if isinstance(value, str) else f"{value}x60"}
                    for name, value in series.items()
                ],
                "alert_rule_test": [
                    {
                        "eval_time": "1h",
                        "alertname": name,
                        "exp_alerts": [expected(case)] if name == case.alert else [],
                    }
                    for name in alerts()
                ],
            }
        ],
    }
    (folder / "test.yaml").write_text(yaml.dump(test))
    return subprocess.run(
        [str(PROMTOOL), "test", "rules", folder / "test.yaml"], capture_output=True, text=True, check=False
    )


def expected(case: Case) -> dict[str, Any]:
    summary, description = case.says
    of = {"namespace": "team", "pipeline": "posts"} if case.is_of_a_pipeline else {}
    runbook = f"docs/monitoring.md#{str(case.alert).lower()}"
    return {
        "exp_labels": {"severity": case.severity, **of},
        "exp_annotations": {"summary": summary, "description": description, "runbook": runbook},
    }


def written(folder: Path) -> str:
    path = folder / "rules.yaml"
    path.write_text(yaml.dump({"groups": rule_groups()}))
    return str(path)
