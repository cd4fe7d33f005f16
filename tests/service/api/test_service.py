"""The service as it is run: a process, with a process for each run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from sources import memory
from sources.memory import MemorySource

from .conftest import POSTS, Process

POST = {"id": 1, "userId": 1, "title": "one", "body": "first"}


@pytest.fixture
def source() -> Iterator[MemorySource]:
    with memory.serving(MemorySource([POST])) as source:
        yield source


@pytest.fixture
def document(document: Path, source: MemorySource) -> Path:
    document.write_text(POSTS.replace("sample:posts", source.url))
    return document


@pytest.fixture
def client(serve: Callable[..., Process], document: Path) -> Iterator[httpx.Client]:
    with serve(document).client() as client:
        yield client


def soon(claim: Callable[[], Any], within: float = 20) -> Any:
    """Wait until it holds."""
    until = time.monotonic() + within
    while not (found := claim()):
        assert time.monotonic() < until, "it never was so"
        time.sleep(0.05)  # what is waited for happens in another process
    return found


class TestRuns:
    def test_a_run_is_begun_and_seen_to_its_end(self, client: httpx.Client, source: MemorySource) -> None:
        # when
        with source.held():
            begun = client.post("/etl/run")
            source.wait_for_request()

            # then
            assert begun.status_code == 202
            assert begun.json()["status"] == "running"
            assert client.get(begun.headers["location"]).json()["status"] == "running"
            assert client.get("/posts").json() == []

        ended = soon(lambda: _ended(client, begun.headers["location"]))
        assert (ended["status"], ended["trigger"], ended["counts"]["inserted"]) == ("succeeded", "rest", 1)
        assert client.get("/posts").json()[0]["title"] == "one"

    def test_one_can_wait_for_the_end(self, client: httpx.Client) -> None:
        answer = client.post("/etl/run?wait=true")

        assert answer.status_code == 200
        assert answer.json()["status"] == "succeeded"

    def test_a_run_that_fails_says_why(self, client: httpx.Client, source: MemorySource) -> None:
        source.records = [{"id": "no number"}] * 200

        answer = client.post("/etl/run?wait=true")

        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["reason"]) == ("failed", "TooManyRejects")

    def test_a_second_one_is_told_of_the_first(self, client: httpx.Client, source: MemorySource) -> None:
        with source.held():
            first = client.post("/etl/run").json()
            second = client.post("/etl/run")

        assert second.status_code == 409
        assert second.json()["run"]["id"] == first["id"]

    def test_the_same_key_is_the_same_run_before_and_after_its_end(
        self, client: httpx.Client, source: MemorySource
    ) -> None:
        key = {"idempotency-key": "deploy:42"}
        with source.held():
            first = client.post("/etl/run", headers=key)
            second = client.post("/etl/run", headers=key)
        soon(lambda: _ended(client, first.headers["location"]))

        third = client.post("/etl/run", headers=key)

        assert (first.status_code, second.status_code, third.status_code) == (202, 202, 200)
        assert first.json()["id"] == second.json()["id"] == third.json()["id"]
        assert len(client.get("/etl/runs").json()) == 1
        assert len(source.requests) == 1

    def test_a_run_is_cancelled_with_nothing_loaded(self, client: httpx.Client, source: MemorySource) -> None:
        with source.held():
            location = client.post("/etl/run").headers["location"]
            source.wait_for_request()

            assert client.delete(location).status_code == 202

            ended = soon(lambda: _ended(client, location))
        assert (ended["status"], ended["reason"]) == ("cancelled", "Cancelled")
        assert client.get("/posts").json() == []

    def test_rejects_are_replayed_under_todays_mapping(
        self, serve: Callable[..., Process], source: MemorySource, document: Path
    ) -> None:
        source.records = [{"id": 1, "userId": "seven", "title": "one"}]
        with serve(document).client() as client:
            assert client.post("/etl/run?wait=true").json()["counts"]["rejected"] == 1
        document.write_text(document.read_text().replace("type: integer}", "type: text}"))
        client = serve(document).client()

        answer = client.post("/etl/replay?wait=true")

        assert (answer.json()["trigger"], answer.json()["counts"]["inserted"]) == ("replay", 1)
        assert client.get("/posts").json()[0]["user_id"] == "seven"
        again = client.post("/etl/replay")
        assert (again.status_code, again.json()["reason"]) == (409, "NothingToReplay")
        client.close()

    def test_runs_read_the_document_as_the_service_does_whatever_became_of_the_file(
        self, client: httpx.Client, document: Path
    ) -> None:
        document.write_text("kind: Nonsense")

        preview = client.get("/etl/preview?full=true").json()
        run = client.post("/etl/run?wait=true").json()

        assert run["counts"] == preview["would"]

    def test_a_run_killed_by_the_system_is_interrupted_within_seconds(
        self, serve: Callable[..., Process], document: Path, source: MemorySource
    ) -> None:
        service = serve(document)
        with source.held(), service.client() as client:
            location = client.post("/etl/run").headers["location"]
            source.wait_for_request()

            (child,) = _children(service)
            os.kill(child, signal.SIGKILL)

            ended = soon(lambda: _ended(client, location), within=5)
        assert (ended["status"], ended["reason"]) == ("interrupted", "ProcessLost")


class TestEvents:
    def test_they_follow_a_run_to_its_end_and_are_closed(self, client: httpx.Client, source: MemorySource) -> None:
        source.records = [POST, {**POST, "id": 2}]
        source.page_size = 1
        with ExitStack() as stack:
            with source.held():
                location = client.post("/etl/run").headers["location"]
                lines = stack.enter_context(client.stream("GET", f"{location}/events")).iter_lines()
                first = [next(lines), next(lines)]
            rest = list(lines)

        assert first[0] == "event: progress"
        assert json.loads(first[1].removeprefix("data: "))["status"] == "running"
        assert rest[-3] == "event: end"
        assert json.loads(rest[-2].removeprefix("data: "))["status"] == "succeeded"

    def test_who_goes_away_leaves_nothing_behind(
        self, serve: Callable[..., Process], document: Path, source: MemorySource
    ) -> None:
        service = serve(document)
        with source.held(), service.client() as client:
            location = client.post("/etl/run").headers["location"]
            before = _descriptors(service)
            for _ in range(5):
                with service.client() as other, other.stream("GET", f"{location}/events") as answer:
                    next(answer.iter_lines())

            soon(lambda: _descriptors(service) <= before)


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_the_runs_it_began_end_first_and_those_who_wait_are_told(
        self, serve: Callable[..., Process], document: Path, source: MemorySource, number: int
    ) -> None:
        # given a run, somebody who waits for it, and somebody who follows it
        service = serve(document)
        answers: list[Any] = []
        with source.held(), service.client() as client:
            waiting = threading.Thread(target=lambda: answers.append(client.post("/etl/run?wait=true").json()))
            waiting.start()
            source.wait_for_request()
            run_id = client.get("/etl/runs").json()[0]["id"]
            with client.stream("GET", f"/etl/runs/{run_id}/events") as events:
                # when
                service.process.send_signal(number)
                followed = list(events.iter_lines())
            waiting.join()

        # then
        assert service.process.wait(20) == 0
        assert (answers[0]["status"], answers[0]["reason"]) == ("interrupted", "Terminated")
        assert "event: end" in followed

    def test_without_a_run_it_takes_no_time(self, serve: Callable[..., Process], document: Path) -> None:
        service = serve(document)
        with service.client() as client:
            client.get("/health")
            began = time.monotonic()

            assert service.stop() == 0

        assert time.monotonic() - began < 3


class TestExport:
    def test_a_slow_reader_keeps_nobody_waiting_and_leaves_nothing_behind(
        self, serve: Callable[..., Process], document: Path, source: MemorySource
    ) -> None:
        # given a table that is larger than the buffers between here and there
        source.records = [{"id": number, "userId": 1, "title": "t", "body": "x" * 500} for number in range(30_000)]
        source.page_size = 30_000
        service = serve(document)
        with service.client() as client:
            assert client.post("/etl/run?wait=true").json()["status"] == "succeeded"
            assert client.get("/posts?sort=title&limit=1000").status_code == 200
            before = _descriptors(service)

            # when six readers begin and take nothing, more than there are threads
            readers = [_reader(service.url) for _ in range(6)]

            # then others are served, and the memory is not the table's
            assert client.get("/posts?sort=title&limit=1000").status_code == 200
            assert _resident(service) < 110
            for reader in readers:
                reader.close()
            soon(lambda: _descriptors(service) <= before)
            assert len(client.get("/posts?format=ndjson").text.splitlines()) == 30_000


class TestLogs:
    def test_the_runs_lines_are_among_the_services_with_its_id(
        self, serve: Callable[..., Process], document: Path
    ) -> None:
        service = serve(document, ETL_LOG_FORMAT="json")
        with service.client() as client:
            run_id = client.post("/etl/run?wait=true").json()["id"]
        service.stop()

        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
        mine = [line["event"] for line in lines if line.get("run") == run_id]
        assert "begun" in mine and any("succeeded" in event for event in mine)
        assert any(line["event"] == "POST /etl/run" and line["status"] == 200 for line in lines)


def test_a_port_that_somebody_has_is_told(document: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "etl_service", "serve", str(document), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)

    assert ended.returncode == 2
    assert "choose another with --port" in ended.stderr and "Traceback" not in ended.stderr


def _ended(client: httpx.Client, location: str) -> Any:
    run = client.get(location).json()
    return run if run["status"] != "running" else None


def _children(service: Process) -> list[int]:
    return [
        int(pid) for pid in Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    ]


def _descriptors(service: Process) -> int:
    """Sockets and files; not those of the database, of which each thread that reads keeps its own."""
    names = []
    for link in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since they were listed
            names.append(link.readlink().name)
    return len([name for name in names if not name.startswith("etl.db")])


def _resident(service: Process) -> float:
    """In MB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _reader(url: str) -> socket.socket:
    """One who asks for everything and takes none of it."""
    host, port = url.removeprefix("http://").split(":")
    reader = socket.create_connection((host, int(port)))
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.sendall(b"GET /posts?format=ndjson HTTP/1.1\r\nhost: localhost\r\n\r\n")
    reader.recv(1)
    return reader
