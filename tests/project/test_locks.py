"""The locks are those of what is declared, as far as that can be told without asking a registry."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {
    "run": PROJECT["project"]["dependencies"],
    "build": PROJECT["dependency-groups"]["build"],
    "operator": PROJECT["dependency-groups"]["operator"],
    "dev": [
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["build"],
        *PROJECT["dependency-groups"]["operator"],
        *PROJECT["dependency-groups"]["dev"],
    ],
    "lint": PROJECT["dependency-groups"]["lint"],
}

#: A pinned package, its hashes, and the comment that says what wants it.
PIN = re.compile(r"^(?P<name>[\w.-]+)(\[[\w,-]+\])?==(?P<version>\S+)(?P<rest>.*\n(?:[ ]+.*\n)*)", re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_declared_dependency_at_a_version_it_allows(lock):
    versions = {pin["name"]: pin["version"] for pin in pins(lock)}

    unmet = [
        line
        for line in LOCKS[lock]
        if not (wanted := Requirement(line)).specifier.contains(versions.get(canonicalize_name(wanted.name), "0.dev0"))
    ]

    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_nothing_that_is_no_longer_declared(lock):
    wanted_by_project = {pin["name"] for pin in pins(lock) if "etlpipeline (pyproject.toml" in pin["rest"]}

    assert wanted_by_project == {canonicalize_name(Requirement(line).name) for line in LOCKS[lock]}, "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_names_no_registry(lock):
    assert all("--hash=sha256:" in pin["rest"] for pin in pins(lock))
    assert "://" not in text(lock)


def test_what_tests_install_is_what_users_run():
    assert {pin["name"]: pin["version"] for pin in pins("run")}.items() <= {
        pin["name"]: pin["version"] for pin in pins("dev")
    }.items()


def test_the_build_system_is_the_locked_one():
    assert PROJECT["build-system"]["requires"] == PROJECT["dependency-groups"]["build"]


@pytest.mark.parametrize("name", ["sources", "frontend"])
def test_the_lock_of_what_tests_have_of_npm_has_hashes_and_names_no_registry(name):
    folder = ROOT / "tests" / name
    declared = json.loads((folder / "package.json").read_text())["dependencies"]

    packages = json.loads((folder / "package-lock.json").read_text())["packages"]

    assert packages[""]["dependencies"] == declared
    assert all("integrity" in package and "resolved" not in package for path, package in packages.items() if path)


def pins(lock: str) -> list[re.Match[str]]:
    return list(PIN.finditer(text(lock)))


def text(lock: str) -> str:
    return (ROOT / f"requirements/{lock}.txt").read_text()
