"""`make release` makes all that a release consists of, of what is committed; and refuses what is not one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

import checkout
from etl_service import __version__ as VERSION
from images.engine import ROOT, eventually, tried, why_no_engine
from manifests.rendering import container, kustomization, of_kind, rendered, variables
from sources.jsonplaceholder import free_port

PACKAGES = {f"etlpipeline-{VERSION}{end}" for end in ("-py3-none-any.whl", ".tar.gz", ".cdx.json")} | {"crds.yaml"}
NOTES = "### Added\n\n- What this test releases.\n"
CHANGELOG = f"""# Changelog

## [Unreleased]

- Not yet.

## [{VERSION}] - 2026-01-02

{NOTES}
## [0.0.1] - 2026-01-01

- Long ago.
"""
#: What the base image has of Python's packages.
BASE = {"pip", "setuptools", "wheel"}
REGISTRY = ROOT / ".venv-lint/bin/registry"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]


def repository(folder: Path) -> Path:
    """What is in the working tree, committed and tagged as this version."""
    (checkout.copy(folder) / "CHANGELOG.md").write_text(CHANGELOG)
    git(folder, "init", "--quiet")
    (folder / ".git/info/exclude").write_text(".venv\n")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    commit(folder)
    git(folder, "tag", f"v{VERSION}")
    return folder


#: Nothing of who runs this, who may sign all commits, say.
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null"}


def git(folder: Path, *command: str) -> None:
    subprocess.run(["git", *command], cwd=folder, env=os.environ | GIT, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "all")


def release(folder: Path, *registry: str, umask: int = -1, **environ: str) -> subprocess.CompletedProcess[str]:
    command = ["tools/release/release", VERSION, *registry]
    env = os.environ | GIT | environ
    return subprocess.run(command, cwd=folder, env=env, umask=umask, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    if reason := why_no_engine():
        pytest.skip(reason)
    if missing := [str(command) for command in ("kubectl", REGISTRY) if shutil.which(command) is None]:
        pytest.skip(f"not on this machine: {', '.join(missing)}; `make lint` makes the registry, with Go")
    port = free_port()
    with subprocess.Popen(
        [REGISTRY, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            eventually(lambda: httpx.get(f"http://localhost:{port}/v2/").is_success)
            yield f"localhost:{port}/etlpipeline"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Iterator[Path]:
    """All of a release, whose images are in the registry."""
    folder = repository(tmp_path_factory.mktemp("release"))
    made = release(folder, registry)
    assert made.returncode == 0, made.stdout + made.stderr
    yield folder / "dist"
    for reference in images(folder / "dist"):
        tried("rmi", "--force", reference.split("@")[0])


def images(dist: Path) -> list[str]:
    return (dist / "images.txt").read_text().split()


def test_a_release_names_its_images_by_version_and_by_a_digest_that_the_registry_has(dist: Path, registry: str):
    host, _, path = registry.partition("/")
    named = [re.fullmatch(rf"{registry}/(\w+):{VERSION}@(sha256:\w+)", reference) for reference in images(dist)]

    assert [found and found[1] for found in named] == ["service", "frontend", "operator"]
    assert {
        httpx.get(f"http://{host}/v2/{path}/{found[1]}/manifests/{found[2]}").status_code for found in named if found
    } == {200}


def test_what_is_installed_is_the_operator_with_the_images_of_the_release_and_the_crd(dist: Path):
    installed = manifests(dist / "install.yaml")
    (operator,) = (manifest for manifest in installed if manifest["kind"] == "Deployment")
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    set_ = {variable["name"]: variable.get("value") for variable in container["env"]}
    crds = manifests(dist / "crds.yaml")

    assert [container["image"], set_["ETL_SERVICE_IMAGE"], set_["ETL_FRONTEND_IMAGE"]] == [
        next(image for image in images(dist) if f"/{name}:" in image) for name in ("operator", "service", "frontend")
    ]
    assert [crd["kind"] for crd in crds] == ["CustomResourceDefinition"]
    assert [crd["spec"] for crd in installed if crd["kind"] == "CustomResourceDefinition"] == [crds[0]["spec"]]


@pytest.mark.parametrize(
    "path", ["default", "install", "namespaced", "overlays/dev/operator", "overlays/prod/operator"]
)
def test_every_operator_in_the_config_of_a_release_has_its_images_and_another_registry_keeps_their_digests(
    path: str, dist: Path, tmp_path: Path
):
    with tarfile.open(dist / f"etlpipeline-config-{VERSION}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    named = [image.partition(f":{VERSION}@")[0] for image in images(dist)]
    mirrored = [{"name": name, "newName": f"mirror.example.com/{name.rpartition('/')[2]}"} for name in named]
    mine = kustomization(tmp_path / "mine", resources=[f"../config/{path}"], images=mirrored)

    assert operators_images(tmp_path / "config" / path) == sorted(images(dist))
    assert operators_images(mine) == sorted(f"mirror.example.com/{image.rpartition('/')[2]}" for image in images(dist))


def operators_images(path: Path) -> list[str]:
    """What a kustomization has for the operator and the pods that it makes."""
    (operator,) = of_kind("Deployment", rendered(path))
    return sorted(
        [container(operator)["image"], *(variables(operator)[f"ETL_{name}_IMAGE"] for name in ("SERVICE", "FRONTEND"))]
    )


def test_what_is_installed_is_what_clusters_of_tests_have_with_other_images(dist: Path, registry: str):
    tested = subprocess.check_output(["kubectl", "kustomize", ROOT / "config/default"], text=True)
    installed = (dist / "install.yaml").read_text()

    ours = re.sub(rf"{registry}/(\w+):{VERSION}@sha256:\w+", r"etlpipeline/\1:dev", installed)

    assert list(yaml.safe_load_all(ours)) == list(yaml.safe_load_all(tested))


@pytest.mark.parametrize("name", ["service", "operator"])
def test_a_bill_of_materials_holds_what_the_lock_of_an_image_pins_and_what_its_base_has(name, dist: Path):
    bill = bill_of_materials(dist / f"{name}-{VERSION}.cdx.json")
    there, pinned = parts(bill, "pkg:pypi/"), locked({"service": "run"}.get(name, name))

    assert {part.split("@")[0].removeprefix("pkg:pypi/") for part in there - pinned} <= {"etlpipeline", *BASE}
    assert {"pkg:pypi/pydantic", "pkg:pypi/structlog"} <= {part.split("@")[0] for part in there}
    assert {"pkg:deb/debian/libc6", "pkg:deb/debian/base-files"} <= {
        part.split("@")[0] for part in parts(bill, "pkg:deb/")
    }
    # As its makers install it, or as Debian does.
    assert len(parts(bill, "pkg:generic/python@3.11.") | parts(bill, "pkg:deb/debian/python3.11@")) == 1


def test_the_bill_of_materials_of_the_package_is_its_lock(dist: Path):
    bill = bill_of_materials(dist / f"etlpipeline-{VERSION}.cdx.json")

    assert parts(bill, "pkg:") == locked("run")
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/etlpipeline@{VERSION}"


def test_a_release_has_the_packages_the_notes_of_its_version_and_checksums_of_everything(dist: Path):
    names = {file.name for file in dist.iterdir()}

    assert {f"etlpipeline-{VERSION}-py3-none-any.whl", f"etlpipeline-{VERSION}.tar.gz"} < names
    assert (dist / "notes.md").read_text().strip() == NOTES.strip()
    assert set(checksums(dist)) == names - {"SHA256SUMS", "notes.md"}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=dist, check=True)


def test_what_is_in_the_registry_is_not_replaced_unless_somebody_says_so(dist: Path, registry: str):
    before = checksums(dist)

    refused = release(dist.parent, registry)

    assert refused.returncode == 1
    assert f"{registry}/service:{VERSION} is there already; AGAIN=1 makes it anew" in refused.stderr
    assert checksums(dist) == before


def test_the_same_commit_makes_the_same_packages_crd_and_configuration_for_everybody(dist: Path, registry: str):
    configuration = f"etlpipeline-config-{VERSION}.tar.gz"
    before, members = checksums(dist), contents(dist / configuration)

    made = release(dist.parent, registry, umask=0o077, AGAIN="1")

    assert made.returncode == 0, made.stdout + made.stderr
    assert contents(dist / configuration) == members
    assert {name: digest for name, digest in checksums(dist).items() if name in PACKAGES} == {
        name: before[name] for name in PACKAGES
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("echo >> README.md", "changes that are not committed"),
        (f"git tag --delete v{VERSION}", f"not tagged v{VERSION}"),
        (f"sed -i 's/newTag: {VERSION}/newTag: 9.9.9/' config/components/version/*; COMMIT", "images of version 9.9.9"),
        ("sed -i '/2026-01-02/d' CHANGELOG.md; COMMIT", "CHANGELOG.md has no section"),
    ],
)
def test_what_is_not_one_version_is_refused(change, reason, tmp_path: Path):
    folder = repository(tmp_path)
    again = f"git -c user.name=t -c user.email=t@example.com commit --all --quiet -m x && git tag --force v{VERSION}"
    command = change.replace("COMMIT", again)
    subprocess.run(command, shell=True, cwd=folder, env=os.environ | GIT, check=True, capture_output=True)

    refused = release(folder)

    assert refused.returncode == 1
    assert reason in refused.stderr
    assert not (folder / "dist").exists()


def checksums(dist: Path) -> dict[str, str]:
    """By name."""
    return {line.split()[1]: line.split()[0] for line in (dist / "SHA256SUMS").read_text().splitlines()}


def contents(archive: Path) -> list[tuple[Any, ...]]:
    """All that is in it, but for the digests of images."""
    with tarfile.open(archive) as tar:
        return [
            (one.name, one.mode, one.uid, one.mtime, (file := tar.extractfile(one)) and file.read())
            for one in tar
            if "/digests/" not in one.name
        ]


def test_images_are_pushed_nowhere_unless_the_command_line_says_where():
    def last_command(*arguments: str, **environ: str) -> str:
        command = ["make", "--dry-run", "release", *arguments]
        return subprocess.check_output(command, cwd=ROOT, env=os.environ | environ, text=True).splitlines()[-1].strip()

    assert last_command("REGISTRY=example.com/etl") == f"tools/release/release {VERSION} example.com/etl"
    assert last_command(REGISTRY="example.com/etl") == f"tools/release/release {VERSION}"


def manifests(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text()))


def bill_of_materials(file: Path) -> Any:
    """As its schema has it."""
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return yaml.safe_load(text)


def parts(bill: Any, kind: str) -> set[str]:
    return {part["purl"] for part in bill["components"] if part["purl"].startswith(kind)}


def locked(lock: str) -> set[str]:
    lines = (ROOT / f"requirements/{lock}.txt").read_text().splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if line[:1].isalnum()]
    return {f"pkg:pypi/{pin.name}@{str(pin.specifier).removeprefix('==')}" for pin in pins}
