"""Argo CD on a cluster of its own, and the repository that it follows."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

import checkout
from e2e.kube import Kube, eventually
from images.engine import ROOT, docker, tried

#: Where its manifests are, and what they are; or a file with others, for a cluster without the internet.
UPSTREAM = "https://raw.githubusercontent.com/argoproj/argo-cd/v3.2.11/manifests/core-install.yaml"
SHA256 = "a48ce0ab6ff5f7aac90a8bd0374434f4d15edeaa85f774672c8692c9819d2ae8"
MANIFESTS = os.environ.get("ARGOCD_MANIFESTS")
GIT_SERVER = Path(__file__).parent / "git_server"
#: Where the cluster finds the repository.
REPOSITORY = "http://git.git/repo.git"
#: A look at Git every ten seconds, instead of every two or three minutes.
IMPATIENT = {"timeout.reconciliation": "10s", "timeout.reconciliation.jitter": "0s"}


@dataclass(frozen=True)
class Repository:
    """A clone of what is tested, from which is pushed."""

    folder: Path
    kube: Kube

    def push(self, message: str) -> str:
        """Commit all that has changed, and push it; the commit."""
        self._git("add", "--all")
        self._git("commit", "--message", message)
        with self.kube.within("git").forwarded("service/git", 80) as client:
            self._git("push", "--quiet", f"{client.base_url}/repo.git", "HEAD:main")
        return self._git("rev-parse", "HEAD")

    def pipelines(self, environment: str, posts: Mapping[str, Any], **others: Mapping[str, Any]) -> str:
        """Push that an environment's ``posts`` has this in its spec, too, and that there are others beside it."""
        path = f"config/overlays/{environment}/pipelines"
        kustomization = yaml.safe_load((ROOT / path / "kustomization.yaml").read_text())
        for name, spec in {"posts": posts, **others}.items():
            said = json.dumps(document(name, spec))
            if name != "posts":
                (self.folder / path / f"{name}.yaml").write_text(said)
                kustomization["resources"].append(f"{name}.yaml")
            # For the others, too: it has the last word over what the overlay says of all.
            kustomization["patches"].append({"patch": said})
        (self.folder / path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return self.push(f"Pipelines of {environment}: {dict(posts)} {sorted(others)}")

    def _git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()


def document(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "etlpipeline.dev/v1alpha1",
        "kind": "EtlPipeline",
        "metadata": {"name": name},
        "spec": dict(spec),
    }


@dataclass(frozen=True)
class ArgoCD:
    kube: Kube
    repository: Repository

    def application(self, name: str) -> Any:
        return self.kube.get("application", name)

    def arrived(self, name: str, commit: str | None = None, health: str = "Healthy") -> None:
        """Wait until an Application is as a commit says, and of that health."""

        def status() -> tuple[str, str, str]:
            status = (self.application(name) or {}).get("status", {})
            sync = status.get("sync", {})
            return sync.get("status", ""), status.get("health", {}).get("status", ""), sync.get("revision", "")

        def is_there() -> bool:
            synced, healthy, revision = status()
            return (synced, healthy) == ("Synced", health) and commit in (None, revision)

        try:
            eventually(is_there, 180)
        except AssertionError as late:
            raise AssertionError(f"{name} is {status()}: {self.said(name)}") from late

    def said(self, name: str) -> str:
        """What an Application says of its last sync, and of what keeps it from one."""
        status = (self.application(name) or {}).get("status", {})
        troubles = [condition["message"] for condition in status.get("conditions", ())]
        return "\n".join([status.get("operationState", {}).get("message", ""), *troubles])

    def shows(self, name: str, *texts: str) -> None:
        """Wait until all of them are in an Application, as its users see it.

        Its tree follows what is there; and the command listens on a port of its own choice, which may be taken.
        """
        command = ("argocd", "app", "get", name, "--core", "--output", "tree=detailed")

        def shown() -> bool:
            told = self.kube.tried("exec", "statefulset/argocd-application-controller", "--", *command)
            return all(text in told.stdout for text in texts)

        eventually(shown)


@contextmanager
def watched(kube: Kube, kind: str, line: str) -> Iterator[list[str]]:
    """What kubectl prints of these objects, a line for each now and at each change; all there when the block ends."""
    command = ["kubectl", "--namespace", kube.namespace, "get", kind, "--watch", "--output"]
    seen: list[str] = []
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*command, f'jsonpath={line}{{"\\n"}}'], stdout=output, env={**os.environ, "KUBECONFIG": kube.kubeconfig}
        )
        try:
            yield seen
            assert process.poll() is None, f"the watch of {kind} has ended"
        finally:
            process.terminate()
            process.wait(10)
        output.seek(0)
        seen += output.read().splitlines()


@contextmanager
def argo_cd(folder: Path) -> Iterator[ArgoCD]:
    """Argo CD as its own manifests install it, on a new cluster that has the images, and a repository in ``folder``."""
    name = f"etl-gitops-{uuid.uuid4().hex[:8]}"
    kubeconfig = str(folder / "kubeconfig")
    environ = {**os.environ, "KUBECONFIG": kubeconfig}
    image = ["--image", os.environ["KIND_NODE_IMAGE"]] if "KIND_NODE_IMAGE" in os.environ else []

    def kind(*arguments: str) -> None:
        done = subprocess.run(["kind", *arguments, "--name", name], env=environ, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    try:
        kind("create", "cluster", *image, "--wait", "180s")
        manifests = Path(MANIFESTS).read_text() if MANIFESTS else _fetched(UPSTREAM, SHA256)
        kind("load", "docker-image", *_images(manifests))
        argocd = Kube(name, kubeconfig, "argocd")
        _start_git_server(argocd.within("git"))
        argocd("create", "namespace", "argocd")
        # First, since it is read at the start; and in a name of its own, or else the manifests would take it back.
        impatient = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": IMPATIENT}
        argocd("apply", "--server-side", "--field-manager", "tests", "-f", "-", given=json.dumps(impatient))
        argocd("apply", "--server-side", "-f", "-", given=manifests)
        for part in (
            "deployment/argocd-redis",
            "deployment/argocd-repo-server",
            "statefulset/argocd-application-controller",
        ):
            argocd("rollout", "status", part, "--timeout", "180s")
        yield ArgoCD(argocd, _clone(folder / "repository", argocd))
    finally:
        kind("delete", "cluster")


def _fetched(url: str, sha256: str) -> str:
    answer = httpx.get(url, follow_redirects=True).raise_for_status()
    assert hashlib.sha256(answer.content).hexdigest() == sha256, f"{url} is not what it was"
    return answer.text


def _images(manifests: str) -> list[str]:
    """The project's, as both environments name them, and of Argo CD's what this machine has: the rest is pulled."""
    docker("build", "--quiet", "--target", "sample-api", "--tag", "etlpipeline/sample-api:dev", ".")
    docker("build", "--quiet", "--tag", "etlpipeline/git-server:dev", str(GIT_SERVER))
    ours = {f"etlpipeline/{part}:dev" for part in ("service", "frontend", "operator", "sample-api", "git-server")}
    rendered = subprocess.check_output(["kubectl", "kustomize", "config/overlays/prod/operator"], cwd=ROOT, text=True)
    for image in set(re.findall(r"etlpipeline/\w+:[\w.-]+", rendered)):
        docker("tag", image.partition(":")[0] + ":dev", image)
        ours.add(image)
    theirs = set(re.findall(r"^\s*image: (\S+)$", manifests, re.MULTILINE))
    return sorted(ours | {image for image in theirs if tried("image", "inspect", image).returncode == 0})


def _start_git_server(kube: Kube) -> None:
    kube("create", "namespace", kube.namespace)
    kube("apply", "-f", str(GIT_SERVER / "server.yaml"))
    kube("rollout", "status", "deployment/git", "--timeout", "60s")


def _clone(folder: Path, kube: Kube) -> Repository:
    """The working tree as a repository, with its own address in the one place where that is written."""
    settings = checkout.copy(folder) / "gitops/argocd/common/settings.yaml"
    settings.write_text(settings.read_text().replace("https://git.example.com/platform/etlpipeline.git", REPOSITORY))
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=folder, check=True)
    return Repository(folder, kube)
