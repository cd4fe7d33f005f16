"""What the documents say to do on a cluster is done, in the order in which a reader would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import checkout
from e2e.kube import SYSTEM, Kube
from images.engine import ROOT
from project.test_documents import blocks

#: As docs/README.md lists them. What monitoring.md says is done where there is a Prometheus: see test_monitoring.py.
DOCUMENTS = ["install", "first-pipeline", "kubernetes", "postgres", "secrets", "storage", "troubleshooting"]


def test_the_commands_of_the_documentation_work_when_pasted(cluster: Kube, postgres_image: None, tmp_path: Path):
    checkout.copy(tmp_path)
    texts = [(ROOT / f"docs/{name}.md").read_text() for name in DOCUMENTS]
    commands = "".join(block.commands for text in texts for block in blocks(text) if block.on_a_cluster)
    environ = {**os.environ, "KUBECONFIG": cluster.kubeconfig}

    session = subprocess.run(
        ["bash", "-euxc", commands],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert session.returncode == 0, session.stdout
    assert "fetched: " in session.stdout
    assert "A run would do this with the records read" in session.stdout


def test_no_command_for_a_cluster_is_left_out():
    for document in (ROOT / "docs").glob("**/*.md"):
        if any(block.on_a_cluster for block in blocks(document.read_text())):
            assert document.stem in [*DOCUMENTS, "monitoring"]


def test_the_kustomizations_of_the_documentation_say_what_they_should(cluster: Kube, kube: Kube, tmp_path: Path):
    text = (ROOT / "docs/install.md").read_text()
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "mine").mkdir()
    rendered = []
    for shown in re.findall(r"^```yaml\n# mine/kustomization.yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / "mine/kustomization.yaml").write_text(shown)
        rendered.append(cluster("kustomize", str(tmp_path / "mine")))

    registry, own = rendered
    cluster.within(SYSTEM)("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-", given=registry)
    kube(
        "apply",
        "--server-side",
        "--dry-run=server",
        "-f",
        "-",
        given=own.replace("namespace: shop", f"namespace: {kube.namespace}"),
    )
    assert len(re.findall(r"registry\.example\.com/etlpipeline/(?:operator|service|frontend):\d", registry)) == 3
    assert "kind: ClusterRole" not in own and own.count("fieldPath: metadata.namespace") == 2
