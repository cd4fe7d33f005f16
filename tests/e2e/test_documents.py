"""What the documents say to do on a cluster is done, in the order in which a reader would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from e2e.kube import SYSTEM, Kube
from images.engine import ROOT
from project.test_documents import blocks


def test_the_commands_of_the_documentation_work_when_pasted(cluster: Kube):
    commands = "".join(
        block.commands for block in blocks((ROOT / "docs/kubernetes.md").read_text()) if block.on_a_cluster
    )
    environ = {**os.environ, "KUBECONFIG": cluster.kubeconfig}

    session = subprocess.run(
        ["bash", "-euxc", commands],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert session.returncode == 0, session.stdout
    assert "fetched: " in session.stdout
    assert "A run would do this with the records read" in session.stdout


def test_the_kustomizations_of_the_documentation_say_what_they_should(cluster: Kube, tmp_path: Path):
    text = (ROOT / "docs/kubernetes.md").read_text()
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "mine").mkdir()
    rendered = []
    for shown in re.findall(r"^```yaml\n# mine/kustomization.yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / "mine/kustomization.yaml").write_text(shown)
        mine = str(tmp_path / "mine")
        cluster.within(SYSTEM)("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--kustomize", mine)
        rendered.append(cluster("kustomize", mine))

    registry, own = rendered
    assert len(re.findall(r"registry\.example\.com/etlpipeline/(?:operator|service|frontend):1\.0\.0", registry)) == 3
    assert "kind: ClusterRoleBinding" not in own and own.count("fieldPath: metadata.namespace") == 2
