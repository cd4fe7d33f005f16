"""Docker Compose as a user meets it: up, a run in the page, accidents, and the data still there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from images.engine import docker, eventually, unique
from sources.jsonplaceholder import free_port


@dataclass
class Project:
    """A Compose project of its own name and port."""

    settings: dict[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    name: str = field(default_factory=lambda: unique("compose"))
    port: int = field(default_factory=free_port)

    def __call__(self, *arguments: str) -> str:
        options = [f"--profile={profile}" for profile in self.profiles]
        env = os.environ | self.settings | {"ETL_PORT_PUBLISHED": str(self.port)}
        return docker("compose", "--progress=quiet", f"--project-name={self.name}", *options, *arguments, env=env)

    def ask(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        return httpx.request(
            method, f"http://localhost:{self.port}{path}", headers=headers, timeout=60, trust_env=False
        )

    def answers(self) -> None:
        eventually(lambda: self.ask("/api/ready").is_success)

    def rows(self) -> int:
        count = self.ask("/api/stats").json()["rows"]
        assert isinstance(count, int)
        return count


@contextmanager
def started(**project) -> Iterator[Project]:
    it = Project(**project)
    try:
        it("up", "--detach", "--no-build")
        it.answers()
        yield it
    finally:
        it("down", "--volumes", "--remove-orphans", "--timeout=5")


@pytest.fixture(scope="module")
def compose(images):
    with started() as it:
        yield it


def test_the_file_is_valid_and_confines_every_container(images):
    services = json.loads(Project(profiles=("sample-api", "postgres"))("config", "--format=json"))["services"]

    assert sorted(services) == ["frontend", "postgres", "sample-api", "service"]
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert int(service["mem_limit"]) <= 512 * 1024 * 1024
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", []))


def test_the_page_and_the_service_are_at_one_address(compose):
    assert "<title>EtlPipeline</title>" in compose.ask("/").text
    assert compose.ask("/api/health").json() == {"status": "ok"}


def test_nginx_sends_the_security_headers_that_the_service_sends(compose):
    direct = compose("exec", "--no-TTY", "frontend", "curl", "-sI", "http://service:8000/health").lower().splitlines()
    through = compose.ask("/api/health").headers
    page = compose.ask("/").headers

    of_service = dict(
        line.split(": ", 1) for line in direct if line.startswith(("content-security", "cross-", "x-", "referrer"))
    )
    assert len(of_service) >= 5
    assert of_service == {name: through[name].lower() for name in of_service}
    assert of_service == {name: page[name].lower() for name in of_service}


def test_the_page_may_run_the_pipeline_and_other_sites_may_not(compose):
    own = compose.ask("/api/etl/run?wait=true", "POST", Origin=f"http://localhost:{compose.port}")
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}

    assert own.json()["status"] == "succeeded"
    assert compose.ask("/api/etl/run", "POST", Origin="http://evil.example").status_code == 403
    assert compose.ask("/api/etl/run", "POST", **rebound).status_code == 403


def test_what_is_loaded_survives_a_killed_service_and_new_containers(compose):
    compose.ask("/api/etl/run?wait=true", "POST")
    rows = compose.rows()
    assert rows > 0

    compose("kill", "service")
    assert compose.ask("/api/stats").json()["reason"] == "ServiceUnreachable"
    compose("up", "--detach", "--no-build")
    compose.answers()
    assert compose.rows() == rows

    compose("down")
    compose("up", "--detach", "--no-build")
    compose.answers()
    assert compose.rows() == rows


def test_with_the_sample_api_beside_it_no_internet_is_needed(images):
    docker("compose", "--progress=quiet", "--profile=sample-api", "build", "sample-api")

    with started(settings={"ETL_PIPELINE": "pipelines/sample-api.yaml"}, profiles=("sample-api",)) as compose:
        run = compose.ask("/api/etl/run?wait=true", "POST").json()

    assert run["status"] == "succeeded", run["message"]
    assert run["counts"]["inserted"] == 100
    assert run["pages"] == 4


def test_with_postgresql_beside_it_the_rows_are_there_and_outlive_both(images):
    with started(settings={"ETL_PIPELINE": "pipelines/postgres.yaml"}, profiles=("postgres",)) as compose:
        run = compose.ask("/api/etl/run?wait=true", "POST").json()
        assert run["status"] == "succeeded", run["message"]

        count = ["exec", "--no-TTY", "postgres", "psql", "--username=etl", "--tuples-only", "--command"]
        assert compose(*count, "SELECT count(*) FROM posts").strip() == str(compose.rows()) == "97"

        compose("kill", "service", "postgres")
        compose("up", "--detach", "--no-build")
        compose.answers()
        assert compose.rows() == 97
