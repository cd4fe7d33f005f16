"""What GitHub runs is what anybody runs: targets of make."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_targets_that_there_are(workflow):
    run = set(re.findall(r"\bmake ([\w-]+)", "\n".join(commands(workflow))))

    assert run
    assert run <= TARGETS


def commands(workflow):
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job.get("steps", ()) if "run" in step]


def test_the_clusters_that_are_tested_on_are_the_oldest_and_the_newest_that_the_documents_promise():
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    versions = [tested["kubernetes"] for tested in ci["jobs"]["test"]["strategy"]["matrix"]["include"]]

    assert f"Kubernetes {versions[0]} or newer" in (ROOT / "docs/install.md").read_text()
    assert f":v{versions[-1]}." in ci["env"]["KIND_NODE_IMAGE"]


def test_what_is_skipped_fails_where_everything_has_to_be_tested():
    environ = {name: value for name, value in os.environ.items() if name not in ("TEST_ALL", "UPGRADE_FROM")}
    skipping = [sys.executable, "-m", "pytest", "-m", "upgrade", "tests/e2e/test_upgrade.py"]

    lenient, strict = (
        subprocess.run(skipping, cwd=ROOT, env=environ | more, capture_output=True, text=True, check=False)
        for more in ({}, {"TEST_ALL": "1"})
    )

    assert (lenient.returncode, strict.returncode) == (0, 1), lenient.stdout + strict.stdout
    assert "nothing is skipped: " in strict.stdout
    assert "there is no release yet" in strict.stdout
