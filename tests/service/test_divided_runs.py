"""Runs that are divided among processes, as `etl run` starts them: whichever of these dies, nothing is half loaded."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from documents import written
from etl_service.model import Run
from sources.memory import MemorySource, serving
from sources.postgres import Server

from .conftest import PostgresPlace

GROUPS = ("a", "b", "c", "d")
MANY = int(os.environ.get("ETL_FAULTS", "200")) // 5 + 1


def version(number: int) -> list[dict[str, Any]]:
    return [
        {"id": row, "title": f"version {number}", "group": GROUPS[row % 4], "body": "b" * 200} for row in range(2_000)
    ]


@pytest.fixture
def source() -> Iterator[MemorySource]:
    with serving(MemorySource(version(1), page_size=100)) as source:
        yield source


@pytest.fixture
def place(postgres: Server) -> Iterator[PostgresPlace]:
    place = PostgresPlace(postgres)
    place.store.prepare()
    yield place
    place.store.close()


@pytest.fixture
def document(place: PostgresPlace, source: MemorySource, tmp_path: Path) -> Path:
    partitions = {"param": "group", "values": list(GROUPS), "parallelism": 2}
    return written(tmp_path, source.url, extract={"partitions": partitions}, load=place.load)


def start(document: Path, place: PostgresPlace) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "etl_service", "run", str(document), "--wait", "30", "--output", "json"]
    return subprocess.Popen(command, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> Run:
    out, err = process.communicate(timeout=90)
    assert out, err.decode()
    return Run.model_validate(json.loads(out))


def workers(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def wait_for(true: Callable[[], Any], seconds: float = 30) -> Any:
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.05)
    return found


def rows(place: PostgresPlace) -> list[tuple[Any, ...]]:
    with place.looking() as connection:
        if not place.has(connection, "posts"):
            return []
        found: list[tuple[Any, ...]] = connection.execute(
            "SELECT count(*), count(DISTINCT id), min(title), max(title) FROM posts"
        ).fetchall()
        return found


def under_way(place: PostgresPlace) -> Run | None:
    """The run, once workers of it have read something."""
    run = place.store.last("default/posts", "running")
    return run if run and sum(part.fetched > 0 for part in run.partitions or ()) == 2 else None


def started(document: Path, place: PostgresPlace) -> subprocess.Popen[bytes]:
    process = start(document, place)
    wait_for(lambda: under_way(place))
    return process


def test_processes_of_its_own_do_the_partitions(document: Path, place: PostgresPlace) -> None:
    ended = finish(start(document, place))

    assert (ended.status, ended.counts.inserted) == ("succeeded", 2_000)
    assert [(part.status, part.fetched) for part in ended.partitions or ()] == [("succeeded", 500)] * 4
    assert rows(place) == [(2_000, 2_000, "version 1", "version 1")]


def test_a_worker_that_is_killed_is_followed_by_another(
    document: Path, place: PostgresPlace, source: MemorySource
) -> None:
    with source.held(after=2):
        process = started(document, place)
        os.kill(workers(process.pid)[0], signal.SIGKILL)
        wait_for(lambda: len(workers(process.pid)) == 2)

    ended = finish(process)

    assert (ended.status, ended.counts.fetched, ended.counts.inserted) == ("succeeded", 2_000, 2_000)
    assert sorted(part.attempt for part in ended.partitions or ()) == [1, 1, 1, 2]
    assert rows(place) == [(2_000, 2_000, "version 1", "version 1")]


def test_workers_do_not_outlive_the_process_that_started_them(
    document: Path, place: PostgresPlace, source: MemorySource
) -> None:
    with source.held(after=2):
        process = started(document, place)
        left = workers(process.pid)
        process.kill()
        process.communicate()
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))

    assert rows(place) == []
    assert finish(start(document, place)).status == "succeeded"
    assert [run.status for run in place.store.runs("default/posts")] == ["succeeded", "interrupted"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, "cancelled"), (signal.SIGTERM, "interrupted")])
def test_a_run_that_is_told_to_end_leaves_no_worker(
    number: signal.Signals, status: str, document: Path, place: PostgresPlace, source: MemorySource
) -> None:
    with source.held(after=2):
        process = started(document, place)
        left = workers(process.pid)
        process.send_signal(number)
        ended = finish(process)

    assert (ended.status, process.returncode) == (status, 1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in left)
    assert rows(place) == []


def test_whichever_process_is_killed_there_are_the_old_rows_or_the_new_ones(
    document: Path, place: PostgresPlace, source: MemorySource
) -> None:
    kill_processes(3, document, place, source)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_of_many_processes_whichever_is_killed_there_are_the_old_rows_or_the_new_ones(
    document: Path, place: PostgresPlace, source: MemorySource
) -> None:
    kill_processes(MANY, document, place, source)


def kill_processes(kills: int, document: Path, place: PostgresPlace, source: MemorySource) -> None:
    chance = random.Random(20261127)
    began = time.monotonic()
    finish(start(document, place))
    usual, after = time.monotonic() - began, rows(place)
    for number in range(2, kills + 2):
        before = rows(place)
        source.records = version(number)
        process = start(document, place)
        time.sleep(chance.uniform(0.3, usual))  # the moment is what this test is about
        found = workers(process.pid)
        victim = chance.choice([process.pid, *found])
        os.kill(victim, signal.SIGKILL)
        out, _ = process.communicate(timeout=90)
        after = [(2_000, 2_000, f"version {number}", f"version {number}")]
        succeeded = bool(out) and Run.model_validate(json.loads(out)).status == "succeeded"
        assert rows(place) == after if succeeded else rows(place) in (before, after)
        if victim != process.pid:
            assert succeeded, f"a worker was killed, of {found}, and the run did not go on"
    assert finish(start(document, place)).status == "succeeded"
    assert rows(place) == after
