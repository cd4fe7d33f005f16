"""Argo CD and Flux judge a pipeline alike, in every state that it can be in."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from gitops.states import STATES, combinations
from gitops.verdicts import HEALTH, KSTATUS, SAME, argo_cd, kstatus, kstatus_rules


@pytest.fixture(scope="module")
def go():
    """Skips where the program around kstatus cannot be built."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    fetched = subprocess.run(["go", "mod", "download"], cwd=KSTATUS, capture_output=True, text=True, check=False)
    if fetched.returncode:
        pytest.skip(f"kstatus cannot be fetched: {fetched.stderr.splitlines()[-1]}")


@pytest.mark.parametrize("name", STATES)
def test_argo_cd_judges_a_pipeline_by_the_shipped_script(name):
    expected, state = STATES[name]

    assert argo_cd(state.body)["status"] == expected


@pytest.mark.parametrize("name", STATES)
def test_flux_judges_it_alike(name):
    expected, state = STATES[name]

    assert SAME[kstatus_rules(state.body)] == expected


@pytest.mark.slow
def test_the_real_kstatus_says_so_of_these_states_and_of_all_others(go):
    bodies = [*(state.body for _, state in STATES.values()), *combinations()]

    verdicts = kstatus(bodies)

    assert len(verdicts) == len(bodies) == len(STATES) + 1024
    assert verdicts == [kstatus_rules(body) for body in bodies]
    assert [SAME[verdict] for verdict in verdicts] == [argo_cd(body)["status"] for body in bodies]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("invalid", "InvalidSpec: spec.schedule.cron goes beyond 0 to 23 in the hour; correct it"),
        ("a quota is in the way", "Forbidden: exceeded quota"),
        ("pods are missing", "the service has 0 of 1 pods available"),
        ("new", "the operator has not seen it yet"),
        ("deleted while invalid", "it is being deleted"),
        ("ready", "all is as the spec says"),
        ("the last run failed", "the last run did not succeed: HttpError: the source answers 404 (3 fetched: 3 new)"),
        ("ready and suspended", "no scheduled and no requested runs begin; set suspend: false to resume"),
    ],
)
def test_the_message_says_why(name, message):
    assert argo_cd(STATES[name][1].body)["message"] == message


@pytest.mark.parametrize(
    ("status", "health"),
    [
        (None, ("Progressing", "")),
        ({"sync": {"status": "OutOfSync"}}, ("Progressing", "")),
        ({"health": {"status": "Healthy"}}, ("Healthy", "")),
        ({"health": {"status": "Degraded", "message": "posts"}}, ("Degraded", "posts")),
    ],
)
def test_an_application_within_another_is_as_it_says(status, health):
    application = {"kind": "Application", "metadata": {"name": "a"}} | ({"status": status} if status else {})

    said = argo_cd(application, "application.lua")

    assert (said["status"], said["message"]) == health


def test_the_config_map_has_the_scripts_as_they_are_tested():
    kustomization = yaml.safe_load((HEALTH / "kustomization.yaml").read_text())

    files = kustomization["configMapGenerator"][0]["files"]

    assert {name.partition("=")[2] for name in files} == {path.name for path in HEALTH.glob("*.lua")}
