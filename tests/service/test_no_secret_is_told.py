"""Canaries: a secret is put wherever one can be, the source repeats it wherever a source can, and nobody is told.

But in its records: those are kept as it sends them, rejected or not.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest

from etl_service import logs, runs
from etl_service.extract.urls import Redactor
from etl_service.load.sqlite.store import SqliteStore
from etl_service.model import Run
from etl_service.runs import World
from etl_service.spec import parse_pipeline
from sources.hostile import serving
from sources.telltale import AUTHS, CANARY, PATHS, ROUTES, SECRET, told_in

API_TOKEN = "c4nary-api-token"


def document(source: str, path: str, auth: dict[str, Any], more: dict[str, Any]) -> str:
    """Where nobody is to listen, the port is one that nobody has."""
    url = "http://127.0.0.1:9" if path == "/nobody-listens" else source
    given = json.loads(json.dumps(auth).replace("{source}", source))
    spec = {
        "extract": {"url": url + path, "auth": given, "limits": {"retries": 0, "timeout": "5s"}, **more},
        "transform": {"columns": [{"name": "id", "type": "integer", "required": True}]},
        "load": {"table": "posts", "key": ["id"]},
    }
    metadata = {"name": "posts"}
    return json.dumps(
        {"apiVersion": "etlpipeline.dev/v1alpha1", "kind": "EtlPipeline", "metadata": metadata, "spec": spec}
    )


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    with serving(ROUTES) as server:
        yield server.url


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, as JSON and for eyes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("console", "debug", stream)
    console = root.handlers[0]
    logs.configure("json", "debug", stream)
    root.addHandler(console)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("kind", AUTHS)
def test_neither_the_database_nor_the_log_tells_a_secret_that_a_source_repeats_outside_of_records(
    tmp_path, source, log, kind
):
    outcomes: dict[str, Run] = {}

    async def no_pause(seconds: float) -> None:
        """Nothing here is about time."""

    store = store_in(tmp_path)
    for path, more in PATHS:
        pipeline = parse_pipeline(document(source, path, AUTHS[kind], more))
        world = World(base=tmp_path, environ={"CANARY": CANARY}, sleep=no_pause)
        outcomes[path] = asyncio.run(runs.run(pipeline, store, trigger="cli", world=world))
    store.close()

    kept = [outcome.model_dump_json() for outcome in outcomes.values()]
    kept += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir() if file.is_file()]
    assert [found for text in [*kept, log.getvalue()] for found in told_in(text)] == []
    # the canaries were there to be told of
    assert {outcome.reason for outcome in outcomes.values()} >= {"SourceRefused", "InvalidJson", "WrongContent", None}
    assert "no such key: ***" in str(outcomes["/401"].message)
    assert outcomes["/pages"].counts.rejected == 2


@pytest.mark.parametrize("length", [60, 1020, 2**12 + 2**10])
@pytest.mark.parametrize("path", ["/401-in-pieces", "/no-json", "/no-json-again-and-again", "/no-line", "/cut-json"])
def test_nor_the_beginning_of_one_that_is_cut_off_with_what_holds_it(tmp_path, source, log, path, length):
    environ = {"CANARY": CANARY.ljust(length, "x")}
    pipeline = parse_pipeline(document(source, path, AUTHS["bearer"], {}))
    store = store_in(tmp_path)

    ended = asyncio.run(runs.run(pipeline, store, trigger="cli", world=World(base=tmp_path, environ=environ)))
    store.close()

    assert "***" in str(ended.message)
    assert told_in(ended.model_dump_json() + log.getvalue()) == []
    assert "xxxx" not in ended.model_dump_json()


def test_nor_where_the_cut_goes_through_a_letter():
    redactor = Redactor()
    redactor.learn("Schlüssel")

    assert redactor.beginning("no schlüssel, no schl\ufffd") == "no ***, no ***"
    assert redactor.beginning("no sch") == "no sch"


@pytest.mark.parametrize("path", ["/401", "/redirect-to-nobody", "/no-json", "/cut-json"])
def test_nor_does_one_that_repeats_what_it_was_asked_a_token_with(tmp_path, source, log, path):
    auth = {"oauth2": {"tokenUrl": source + path, "clientId": "me", "clientSecret": SECRET}}
    pipeline = parse_pipeline(document(source, "/pages", auth, {}))
    store = store_in(tmp_path)

    ended = asyncio.run(
        runs.run(pipeline, store, trigger="cli", world=World(base=tmp_path, environ={"CANARY": CANARY}))
    )

    assert ended.reason in ("TokenRefused", "SourceRefused")
    assert told_in(ended.model_dump_json() + log.getvalue()) == []


# The programs, as they are run


def environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ETL_")}
    return inherited | {"CANARY": CANARY, "ETL_LOG_LEVEL": "debug", "ETL_DATABASE": "etl.db", **more}


def etl(folder: Path, *arguments: str, **environ: str) -> str:
    """All that it says, and leaves for who started its container."""
    command = [sys.executable, "-m", "etl_service", *arguments]
    last_words = folder / "last-words"
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment(ETL_TERMINATION_LOG=str(last_words), **environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ended.stdout + ended.stderr + (last_words.read_text() if last_words.exists() else "")


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.parametrize("path", ["/401", "/pages"])
def test_the_command_line_does_not_tell_it(tmp_path, source, log_format, path):
    text = document(source, path, AUTHS["query"], {"pagination": {"link": {}}})
    (tmp_path / "posts.yaml").write_text(text)

    said = etl(tmp_path, "run", "posts.yaml", ETL_LOG_FORMAT=log_format)
    said += etl(tmp_path, "preview", "posts.yaml", ETL_LOG_FORMAT=log_format)
    said += "".join(etl(tmp_path, command) for command in ("runs", "rejects"))

    assert told_in(said) == []
    assert "***" in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": f"https://user:{quote(CANARY, safe='')}@api.example.com/"},
        {"url": f"https://api.example.com/?api_key={quote(CANARY)}"},
        {"url": "https://api.example.com/", "auth": {"bearer": {"token": CANARY}}},
        {"url": "https://api.example.com/", "auth": {"basic": {"username": "ann", "password": CANARY}}},
        {"url": "https://api.example.com/", "headers": {"Authorization": f"Bearer {CANARY}"}},
        {"url": "https://api.example.com/", "params": {"token": CANARY}},
    ],
)
def test_a_secret_that_is_written_into_a_document_is_refused_and_not_repeated(tmp_path, wrong):
    spec = {"extract": wrong, "load": {"table": "posts", "key": ["id"]}}
    head = {"apiVersion": "etlpipeline.dev/v1alpha1", "kind": "EtlPipeline", "metadata": {"name": "posts"}}
    (tmp_path / "posts.yaml").write_text(json.dumps({**head, "spec": spec}))

    said = etl(tmp_path, "run", "posts.yaml")

    assert "literal secret" in said
    assert told_in(said) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ETL_API_TOKEN", f"{API_TOKEN} with spaces"),
        ("HTTP_PROXY", f"socks9://user:{quote_plus(CANARY)}@127.0.0.1:9"),
        ("HTTP_PROXY", f"http://user:{quote_plus(CANARY)}@127.0.0.1:9"),
        ("CANARY", f"{CANARY}\n{CANARY}"),
    ],
)
def test_an_environment_that_cannot_be_used_is_not_repeated(tmp_path, source, name, value):
    (tmp_path / "posts.yaml").write_text(document("http://nobody.example", "/", AUTHS["bearer"], {}))

    said = etl(tmp_path, "run", "posts.yaml", **{"NO_PROXY": "", name: value})

    assert re.search("InvalidSettings|ProxyUnusable|SourceUnreachable|SecretUnusable", said)
    assert told_in(said) == []


GETS = (
    "/ /health /ready /posts /posts?format=csv /posts?q=%22 /posts?no=1 /stats /etl/runs /etl/pipeline /etl/preview "
    "/etl/preview?n=1000&full=true /metrics /openapi.json /docs /no-such-page /etl/runs/none"
).split()


@pytest.mark.parametrize(("log_format", "kind"), [("console", "query"), ("json", "oauth2")])
def test_the_service_does_not_tell_it_nor_its_own_token(tmp_path, source, log_format, kind):
    good, bad = (document(source, path, AUTHS[kind], {"pagination": {"link": {}}}) for path in ("/pages", "/401"))
    (tmp_path / "good.yaml").write_text(good)
    (tmp_path / "bad.yaml").write_text(bad)
    environ = {"ETL_LOG_FORMAT": log_format, "ETL_API_TOKEN": API_TOKEN}
    for name in ("good", "bad"):
        log = tmp_path / f"{name}.log"
        command = [sys.executable, "-m", "etl_service", "serve", f"{name}.yaml", "--port", "0"]
        with (
            log.open("w") as stderr,
            subprocess.Popen(command, cwd=tmp_path, env=environment(**environ), stderr=stderr, text=True) as service,
        ):
            told = ask_everything(service, log)
        told.append(log.read_text())
        assert [found for text in told for found in told_in(text)] == []
        assert any("***" in text for text in told), "the canary was there to be told of"


def ask_everything(service: subprocess.Popen[str], log: Path) -> list[str]:
    """What the service says to who has its token, to who has another, and to who sends it where it is not to be."""
    while not (found := re.search(r"Serving \S+ at (http://[^\s\"]+)", log.read_text())):
        assert service.poll() is None, log.read_text()
    told: list[str] = []

    def keep(response: httpx.Response) -> httpx.Response:
        told.append(f"{response.status_code} {response.headers} {response.text}")
        return response

    with httpx.Client(base_url=found[1], timeout=60, trust_env=False) as client:
        mine = {"Authorization": f"Bearer {API_TOKEN}"}
        run = keep(client.post("/etl/run?wait=true", headers=mine)).json()
        for path in [*GETS, *(f"/etl/runs/{run['id']}{part}" for part in ("", "/rejects", "/events"))]:
            keep(client.get(path, headers=mine))
        for given in (mine, {"Authorization": f"Basic {API_TOKEN}"}, {"Authorization": f"Bearer {API_TOKEN}-not"}):
            keep(client.post("/etl/replay?wait=true", headers=given))
            keep(client.post("/etl/run", headers={**given, "Origin": "https://evil.example"}))
        # who puts a token into an address has told it to every proxy: the service at least does not pass it on
        keep(client.get("/posts", params={"token": "hidden-from-logs"}, headers=mine))
    service.send_signal(signal.SIGTERM)
    service.wait(30)
    assert "hidden-from-logs" not in log.read_text()
    return told


def store_in(folder: Path) -> SqliteStore:
    store = SqliteStore(folder / "etl.db")
    store.prepare()
    return store
