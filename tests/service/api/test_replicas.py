"""Several services on one PostgreSQL: each shows what runs, whoever began it, and can end it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from sources import memory
from sources.memory import MemorySource
from sources.postgres import Server

from ..conftest import PostgresPlace
from .conftest import POSTS, InProcess, Process, serving
from .test_service import soon


@pytest.fixture
def source() -> Iterator[MemorySource]:
    with memory.serving(MemorySource([{"id": number, "userId": 1, "title": "t"} for number in range(30)])) as source:
        yield source


@pytest.fixture
def place(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> PostgresPlace:
    place = PostgresPlace(postgres)
    monkeypatch.setenv("POSTGRES_DSN", place.environ["POSTGRES_DSN"])
    return place


@pytest.fixture
def document(tmp_path: Path, place: PostgresPlace, source: MemorySource) -> Path:
    path = tmp_path / "posts.yaml"
    load = f"postgres: {{dsn: {{env: POSTGRES_DSN}}, schema: {place.schema}}}"
    path.write_text(
        POSTS.replace('"sample:posts"', f'"{source.url}", pagination: {{link: {{}}}}').replace(
            "key: [id]", f"key: [id], {load}"
        )
    )
    return path


@pytest.fixture
def services(document: Path, tmp_path: Path) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving(document, tmp_path / "none.db", tmp_path / f"{name}.log")) for name in "ab"]


@pytest.fixture
def clients(services: list[Process]) -> Iterator[list[httpx.Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(service.client()) for service in services]


def test_all_show_a_run_as_it_goes_and_any_can_cancel_it(clients: list[httpx.Client], source: MemorySource) -> None:
    first, second = clients
    with source.held():
        run = first.post("/etl/run").json()

        assert second.post("/etl/run").json()["run"]["id"] == run["id"]
        assert second.get(f"/etl/runs/{run['id']}").json()["status"] == "running"
        assert second.delete(f"/etl/runs/{run['id']}").status_code == 202
        soon(lambda: first.get(f"/etl/runs/{run['id']}").json()["status"] == "cancelled")


def test_progress_is_the_same_for_all(clients: list[httpx.Client], source: MemorySource) -> None:
    first, second = clients
    source.page_size = 10
    with source.held(after=2):
        run = first.post("/etl/run").json()

        def fetched() -> set[int]:
            return {client.get(f"/etl/runs/{run['id']}").json()["counts"]["fetched"] for client in clients}

        soon(lambda: fetched() == {20})

    events = second.get(f"/etl/runs/{run['id']}/events").text
    assert "event: end" in events and '"fetched":30' in events
    assert len(second.get("/posts?limit=100").json()) == 30


def test_when_one_is_lost_the_other_ends_its_run(
    services: list[Process], clients: list[httpx.Client], source: MemorySource
) -> None:
    first, second = clients
    with source.held():
        run = first.post("/etl/run").json()
        kill_all(services[0])

        soon(lambda: second.get(f"/etl/runs/{run['id']}").json()["status"] == "interrupted")
        assert second.get(f"/etl/runs/{run['id']}").json()["reason"] == "ProcessLost"


def kill_all(service: Process) -> None:
    """The service and the runs that it has begun, as when a node is lost."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    for pid in [service.process.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)


def test_a_database_that_is_away_is_told_of_and_comes_back(
    make: Callable[..., InProcess], document: Path, place: PostgresPlace
) -> None:
    posts = make(document)
    posts.run()
    assert posts.get("/ready").status_code == 200

    # all connections that the service has are ended
    with place.looking() as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND application_name = 'etl'"
        )

    assert posts.get("/posts?limit=5").status_code == 200
    assert posts.get("/stats").json()["rows"] == 30


@pytest.fixture
def divided(document: Path) -> Path:
    document.write_text(
        document.read_text().replace("pagination: {link: {}}", "partitions: {param: group, values: [a, b, c]}")
    )
    return document


def test_all_show_a_run_in_partitions_as_it_goes(
    divided: Path, clients: list[httpx.Client], source: MemorySource
) -> None:
    first, second = clients
    source.records = [{"id": number, "userId": 1, "title": "t", "group": "abc"[number % 3]} for number in range(30)]

    run = first.post("/etl/run").json()
    soon(lambda: second.get(f"/etl/runs/{run['id']}").json()["status"] == "succeeded")

    ended = second.get(f"/etl/runs/{run['id']}").json()
    assert ended["counts"]["inserted"] == 30
    assert [(part["name"], part["status"], part["fetched"]) for part in ended["partitions"]] == [
        (f"group={group}", "succeeded", 10) for group in "abc"
    ]


def test_a_run_in_partitions_is_asked_for_elsewhere_where_that_is_set(
    divided: Path, make: Callable[..., InProcess]
) -> None:
    answer = make(divided, run_with="kubectl annotate …").ask("POST", "/etl/run")

    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (409, "RunElsewhere")
    assert problem["detail"].endswith("ask for one with: kubectl annotate …")
