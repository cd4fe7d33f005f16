"""Kustomizations, rendered as their users do: by kubectl, and by kustomize itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from images.engine import ROOT

CONFIG = ROOT / "config"
#: What can be applied as it is.
KUSTOMIZATIONS = [
    ROOT,
    CONFIG / "default",
    CONFIG / "install",
    CONFIG / "namespaced",
    CONFIG / "samples",
    CONFIG / "samples/postgres",
    *sorted(path.parent for path in CONFIG.glob("overlays/*/*/kustomization.yaml")),
]
#: The kustomize that is in kubectl 1.34, too.
_VERSION = "v5.7.1"


def shown(path: Path) -> str:
    """A kustomization's name in a test's."""
    return str(path.relative_to(ROOT))


def rendered(path: Path, *command: str) -> list[dict[str, Any]]:
    """The objects of a kustomization; what it warns of is an error."""
    return [one for one in yaml.load_all(rendered_text(path, *command), yaml.CSafeLoader) if one]


@cache
def rendered_text(path: Path, *command: str) -> str:
    done = subprocess.run(
        [*(command or (kubectl(), "kustomize")), str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def of_kind(kind: str, objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (one for one in objects if one["kind"] == kind)


def kubectl() -> str:
    return shutil.which("kubectl") or pytest.skip("kubectl is not installed")


@cache
def kustomize() -> str:
    """The one on the PATH, where it is of this line; else one that Go builds, once for this checkout."""
    found = shutil.which("kustomize")
    if found and subprocess.check_output([found, "version"], text=True).startswith(_VERSION.rpartition(".")[0] + "."):
        return found
    built = ROOT / ".venv/go" / _VERSION / "kustomize"
    if not built.exists():
        go = shutil.which("go") or pytest.skip(f"neither kustomize {_VERSION} nor Go is installed")
        module = f"sigs.k8s.io/kustomize/kustomize/v5@{_VERSION}"
        environ = {**os.environ, "GOBIN": str(built.parent), "GOFLAGS": "-mod=mod"}
        subprocess.run([go, "install", module], env=environ, capture_output=True, text=True, check=True, cwd="/")
    return str(built)


def kustomization(folder: Path, **fields: Any) -> Path:
    """A user's own, in a folder beside config/; JSON is YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(json.dumps(fields))
    return folder


def beside(folder: Path, path: Path) -> str:
    """How a kustomization in the folder names another one."""
    return os.path.relpath(path.resolve(), folder.resolve())


def container(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The one container of a Deployment."""
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)


def variables(deployment: Mapping[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in container(deployment)["env"]}
