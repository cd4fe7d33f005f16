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

from etl_service.spec import load_pipeline
from sources.jsonplaceholder import free_port

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "bench/README.md", *sorted(ROOT.glob("docs/**/*.md"))]
SESSION = Path(__file__).parent / "session.sh"

#: Commands that a document names and that are not run from it, with what runs them.
ELSEWHERE = {
    "make test": "is what runs this test",
    "make lint": "is part of `make test`",
    "make faults": "is a test suite of its own, too long for this one",
    "make e2e-faults": "is a test suite of its own, too long for this one",
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
    "kubectl delete etlpipelines --all --all-namespaces": "test_pipelines.py deletes, and leaves a retained volume",
    "kubectl get pvc --all-namespaces --selector etlpipeline.dev/pipeline": "only shows",
    "kubectl delete -k .": "would end the cluster that other tests need",
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


@pytest.fixture(scope="module")
def clone(tmp_path_factory, jsonplaceholder):
    """What a fresh clone of the working tree holds; its pipelines read jsonplaceholder on this machine."""
    folder = tmp_path_factory.mktemp("clone")
    files = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
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
