"""Every command in the documents is run, in the order in which a reader would.

A fenced ``sh`` block runs to its end in the document's one shell, unless a comment before it says otherwise:

- ``<!-- test: serves URL -->``: it keeps running, until another such block or the document's end; what follows waits
  for the URL to answer.
- ``<!-- test: cluster -->``: it needs one, and e2e/test_documents.py runs it.
- ``<!-- test: elsewhere -->``: it is one of `ELSEWHERE`, which says what runs it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import checkout
from etl_service.spec import load_pipeline
from sources.jsonplaceholder import free_port
from tools.reference import anchor

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "bench/README.md", *sorted(ROOT.glob("docs/**/*.md"))]
SESSION = Path(__file__).parent / "session.sh"

#: Commands that a document names and that are not run from it, with what runs them.
ELSEWHERE = {
    "make test": "is what runs this test",
    "make lint": "is part of `make test`",
    "make faults": "is a test suite of its own, too long for this one",
    "make e2e-faults": "is a test suite of its own, too long for this one",
    "make e2e-gitops": "is a test suite of its own, too long for this one",
    "make e2e-upgrade": "is a test suite of its own, and needs a release before this one",
    "make release REGISTRY=registry.example.com/etlpipeline": "test_release.py makes one, with a registry of its own",
    "kubectl apply --server-side -f install.yaml": "test_release.py says it is config/default, which "
    "clusters of tests have",
    "sha256sum --check --ignore-missing SHA256SUMS": "test_release.py checks them",
    "make bench": "takes minutes, and test_bench.py runs its parts",
    "make bench NAMES='load memory'": "takes minutes, and test_bench.py runs its parts",
    "make bench-operator": "takes a quarter of an hour, and a cluster",
    "docker compose up --build": "needs Docker; images/test_compose.py runs it",
    "ETL_PIPELINE=pipelines/posts.yaml docker compose up --build": "is images/test_compose.py's, with another source",
    "ETL_PORT_PUBLISHED=9090 docker compose up": "is how images/test_compose.py runs it, on a free port",
    "docker compose exec service etl runs": "needs Docker; images/test_compose.py runs it",
    "docker compose watch": "never ends; images/test_compose.py checks what it watches",
    "ETL_PIPELINE=pipelines/sample-api.yaml docker compose --profile sample-api up --build": "images/test_compose.py",
    "ETL_PIPELINE=pipelines/postgres.yaml docker compose --profile postgres up --build": "images/test_compose.py",
    "docker compose exec postgres psql --username=etl --command 'SELECT id, title FROM posts LIMIT 3'": "as does this",
    'psql "$OWNER_DSN" --command "CREATE ROLE etl LOGIN PASSWORD \'…\'"': "wants a server",
    'etl grants pipelines/postgres.yaml --role etl | psql -v ON_ERROR_STOP=1 "$OWNER_DSN"': "cli/test_postgres.py",
    "etl move pipelines/postgres.yaml --database etl.db": "wants a server; cli/test_postgres.py moves",
    "make kind-up": "e2e/conftest.py makes its cluster as this does",
    "make kind-down": "e2e/conftest.py removes its cluster as this does",
    """kubectl patch etl posts --type merge --patch '{"spec": {"storage": {"size": "10Gi"}}}'""": "needs a class that "
    "can grow volumes",
    "kubectl exec deployment/posts-service -- etl replay": "needs rejected records; service/cli has some",
    "make images TAG=0.1.0": "images/test_images.py builds them",
    "for image in operator service frontend; do": "needs a registry to push to",
    "docker tag etlpipeline/$image:0.1.0 registry.example.com/etlpipeline/$image:0.1.0": "needs a registry to push to",
    "docker push registry.example.com/etlpipeline/$image:0.1.0": "needs a registry to push to",
    "done": "needs a registry to push to",
    "kubectl delete etlpipelines --all --all-namespaces --cascade=foreground": "test_overlays.py removes all there is",
    "kubectl wait --for delete pods,deployments,jobs --all-namespaces --selector "
    "app.kubernetes.io/managed-by=etl-operator --timeout 120s": "test_overlays.py removes all there is",
    "kubectl get pvc --all-namespaces --selector etlpipeline.dev/pipeline": "only shows",
    "kubectl delete -k .": "test_overlays.py removes all there is",
    "kubectl apply --server-side --field-manager etlpipeline -k gitops/argocd/health": "gitops/test_argo_cd.py",
    "kubectl rollout restart statefulset/argocd-application-controller --namespace argocd": "gitops/test_argo_cd.py",
    "kubectl apply --server-side -k gitops/argocd/dev": "gitops/test_argo_cd.py types it",
    "kubectl get applications --namespace argocd --watch": "only shows",
    "kubectl apply --server-side -k gitops/flux/dev": "needs Flux; gitops/test_manifests.py has its definitions",
    "kubectl get kustomizations --namespace flux-system --watch": "only shows",
    "make lock": "asks a registry; test_locks.py checks what it writes",
}

BLOCK = re.compile(
    r"^(?:<!-- test: (?P<how>[^>]+) -->\n)?```(?:sh|bash|shell|console)\b[^\n]*\n(?P<commands>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    commands: str
    elsewhere: bool
    serves: str | None
    on_a_cluster: bool


#: The documents of pipelines that documents show.
PIPELINE = re.compile(r"^```yaml\n(?P<text>apiVersion: etlpipeline.dev.*?)^```$", re.MULTILINE | re.DOTALL)

LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)

MISSING = [command for command in ("bash", "curl", "git", "make", "sqlite3") if shutil.which(command) is None]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {', '.join(MISSING)}")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_document_work_when_pasted(document, clone, environment):
    commands = script(document.read_text(), port=free_port())

    session = subprocess.run(
        ["bash", "-c", commands],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert session.returncode == 0, session.stdout
    assert "Traceback" not in session.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_is_not_run_from_its_document_is_run_elsewhere(document):
    lines = [line for block in blocks(document.read_text()) if block.elsewhere for line in block.commands.splitlines()]

    assert {line.split(" #")[0].strip() for line in lines} <= ELSEWHERE.keys()


@pytest.mark.parametrize(
    "text", [found["text"] for document in DOCUMENTS for found in PIPELINE.finditer(document.read_text())]
)
def test_a_pipeline_that_a_document_shows_is_one(text, tmp_path):
    document = tmp_path / "pipeline.yaml"
    document.write_text(text)

    assert load_pipeline(document).kind == "EtlPipeline"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_within_the_project_leads_somewhere(document):
    for target in LINK.findall(document.read_text()):
        file, _, heading = target.partition("#")
        there = (document.parent / file).resolve() if file else document

        assert there.exists(), target
        assert not heading or heading in {anchor(line) for line in HEADING.findall(there.read_text())}, target


@pytest.fixture(scope="module")
def clone(tmp_path_factory, jsonplaceholder):
    """What a fresh clone of the working tree holds; its pipelines read jsonplaceholder on this machine."""
    folder = checkout.copy(tmp_path_factory.mktemp("clone"))
    for pipeline in folder.glob("pipelines/*.yaml"):
        pipeline.write_text(pipeline.read_text().replace("https://jsonplaceholder.typicode.com", jsonplaceholder))
    return folder


@pytest.fixture
def environment():
    """A reader's: nothing of the make and the environment that run this test."""
    ours = ("ETL_", "MAKE", "MFLAGS", "PYTEST", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def script(document: str, port: int) -> str:
    """The document's commands as one script, with another port than the one it shows."""
    parts = [SESSION.read_text(), f"export PORT={port} ETL_PORT={port}\n"]
    for block in blocks(document):
        if block.serves:
            parts.append(f"serve {block.serves} {shlex.quote(block.commands)}\n")
        elif not block.elsewhere and not block.on_a_cluster:
            parts.append(block.commands)
    return "\n".join(parts).replace(":8000", f":{port}")


def blocks(document: str) -> list[Block]:
    return [
        Block(
            commands=found["commands"],
            elsewhere=(how := found["how"] or "") == "elsewhere",
            serves=how.removeprefix("serves ") if how.startswith("serves ") else None,
            on_a_cluster=how == "cluster",
        )
        for found in BLOCK.finditer(document)
    ]
