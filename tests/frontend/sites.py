"""The service as its users run it, with the page in front of it: on each host that serves the page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from images.engine import CONTAINED, container, eventually, inspect, network
from sources.jsonplaceholder import free_port

PIPELINES = Path(__file__).parents[2] / "pipelines"


@dataclass
class Site:
    """A pipeline's service and page, at ``url``."""

    document: Path
    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    front: str | None = None  #: who stands before the service, where somebody does
    _process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return self.front or f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, on the same port each time, and return once it answers."""
        log = self.folder / "serve.log"
        with log.open("w") as stderr:
            self._process = self._etl("serve", str(self.document), "--port", str(self.port), stderr=stderr)
        while "Serving " not in log.read_text():
            try:
                code = self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the service ended with {code}: {log.read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def run(self) -> dict[str, Any]:
        """Run the pipeline to its end, over REST."""
        with self.client() as client:
            answer = client.post("/api/etl/run", params={"wait": "true"})
            run: dict[str, Any] = answer.raise_for_status().json()
            return run

    def run_elsewhere(self) -> subprocess.Popen[str]:
        """Begin a run on the command line: another process, that the service knows nothing of."""
        return self._etl("run", str(self.document), stderr=subprocess.DEVNULL)

    def get(self, path: str) -> Any:
        return json.loads(self.text(path))

    def text(self, path: str) -> str:
        with self.client() as client:
            return client.get(f"/api/{path}").raise_for_status().text

    def client(self) -> httpx.Client:
        token = self.environ.get("ETL_API_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return httpx.Client(base_url=self.url, timeout=60, headers=headers)

    def _etl(self, *arguments: str, stderr: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "etl_service", *arguments, "--database", str(self.folder / "etl.db")]
        environ = os.environ | dict(self.environ)
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, env=environ, text=True)


#: Serves a document, with a folder for what that needs, and more environment variables.
Serve = Callable[[Path, Path, Mapping[str, str]], AbstractContextManager[Site]]


@contextmanager
def by_the_service() -> Iterator[Serve]:
    """`etl serve` serves the page itself."""
    yield lambda document, folder, environ: _started(Site(document, folder, environ))


@contextmanager
def by_nginx() -> Iterator[Serve]:
    """The frontend's image serves the page, and passes /api on to `etl serve` on this machine.

    Its containers stay, and serve one site after another: one that comes or goes changes the networks of this machine,
    for which Chromium drops what it is loading.
    """
    with ExitStack() as containers:
        net = containers.enter_context(network())
        gateway = inspect(net)["IPAM"]["Config"][0]["Gateway"]
        free = [containers.enter_context(_nginx(net, gateway, free_port())) for _ in range(2)]

        @contextmanager
        def serve(document: Path, folder: Path, environ: Mapping[str, str]) -> Iterator[Site]:
            url, port = free.pop()
            listens = {"ETL_HOST": gateway, "ETL_ALLOWED_HOSTS": "127.0.0.1"}
            try:
                with _started(Site(document, folder, {**environ, **listens}, port, url)) as site:
                    yield site
            finally:
                free.append((url, port))

        yield serve


@contextmanager
def _nginx(net: str, gateway: str, port: int) -> Iterator[tuple[str, int]]:
    """Its URL, and the port on which the service is expected."""
    options = (*CONTAINED, "--tmpfs=/etc/nginx/conf.d:uid=101", f"--network={net}", "--publish=127.0.0.1::8080")
    with container("etlpipeline/frontend:dev", *options, f"--env=ETL_SERVICE_URL=http://{gateway}:{port}") as nginx:
        url = nginx.url(8080)
        eventually(lambda: httpx.get(f"{url}/healthz", trust_env=False).is_success)
        yield url, port


@contextmanager
def _started(site: Site) -> Iterator[Site]:
    site.start()
    try:
        yield site
    finally:
        site.stop()


#: Who serves the page, by name.
HOSTS: Mapping[str, Callable[[], AbstractContextManager[Serve]]] = {"service": by_the_service, "nginx": by_nginx}


def count(text: str) -> int:
    """The number that a text begins with, as English writes it."""
    found = re.match(r"[\d,]+", text.strip())
    assert found, f"no number in {text!r}"
    return int(found[0].replace(",", ""))
