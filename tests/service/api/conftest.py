"""A service on a database with the sample's posts in it, asked in-process; and one that runs as its users run it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from etl_service import runs
from etl_service.api.app import create_app
from etl_service.api.service import Service
from etl_service.load import open_store
from etl_service.load.store import Store
from etl_service.runs import World
from etl_service.settings import Settings
from etl_service.spec import EtlPipeline, load_pipeline

POSTS = """\
apiVersion: etlpipeline.dev/v1alpha1
kind: EtlPipeline
metadata: {name: posts}
spec:
  extract: {url: "sample:posts"}
  transform:
    columns:
    - {name: id, type: integer, required: true}
    - {name: user_id, from: /userId, type: integer}
    - {name: title, type: text, clean: [strip]}
    - {name: body, type: text}
  load: {table: posts, key: [id]}
"""


@dataclass
class InProcess:
    """The application, asked without a network; each question is a loop of its own."""

    app: FastAPI
    pipeline: EtlPipeline
    store: Store
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.app.state.service  # type: ignore[no-any-return]

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, headers={**self.headers, **more.pop("headers", {})}, **more)

        return asyncio.run(asked())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def run(self) -> None:
        """Run the pipeline here and now."""
        ended = asyncio.run(runs.run(self.pipeline, self.store, trigger="cli", world=self.service.world))
        assert ended.status == "succeeded", ended.message


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "posts.yaml"
    path.write_text(POSTS)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., InProcess]]:
    """Make an application: ``make(document, api_token="…")``; more are settings."""
    with ExitStack() as stores:

        def make(document: Path, *, world: World | None = None, **settings: Any) -> InProcess:
            pipeline = load_pipeline(document)
            database = tmp_path / "etl.db"
            store = open_store(pipeline.spec.load, database, World(base=tmp_path).read_secret)
            stores.callback(store.close)
            given = replace(Settings(database=database), **settings)
            app = create_app(pipeline, document, store, given, world or World(base=tmp_path))
            stores.callback(app.state.service.threads.shutdown)
            return InProcess(app, pipeline, store)

        yield make


@pytest.fixture
def empty(make: Callable[..., InProcess], document: Path) -> InProcess:
    """A service whose pipeline has not run yet."""
    return make(document)


@pytest.fixture
def posts(empty: InProcess) -> InProcess:
    """A service whose pipeline has run once: 97 posts, 3 rejects."""
    empty.run()
    return empty


@dataclass
class Process:
    """`etl serve`, as its users run it."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def client(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, **more)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def serving(document: Path, database: Path, log: Path, **environ: str) -> Iterator[Process]:
    command = [sys.executable, "-m", "etl_service", "serve", str(document), "--port", "0", "--database", str(database)]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stderr=stderr, text=True, env={**os.environ, **environ}) as process,
    ):
        try:
            yield Process(process, _url(process, log), log)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)


def _url(process: subprocess.Popen[str], log: Path) -> str:
    while process.poll() is None:
        if found := re.search(r"Serving \S+ at (\S+)", log.read_text()):
            return found[1]
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"the service ended with {process.returncode}: {log.read_text()}")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start `etl serve`: ``serve(document)``; more are environment variables."""
    with ExitStack() as processes:
        numbers = iter(range(100))

        def serve(document: Path, **environ: str) -> Process:
            log = tmp_path / f"serve-{next(numbers)}.log"
            return processes.enter_context(serving(document, tmp_path / "etl.db", log, **environ))

        yield serve
