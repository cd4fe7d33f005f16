"""What the documents say to do on a cluster is done, in the order in which a reader would."""

from __future__ import annotations

import os
import subprocess

from e2e.kube import Kube
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
