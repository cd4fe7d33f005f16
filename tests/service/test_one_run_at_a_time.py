"""One run at a time, and exactly one run for a request, whoever asks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from sources import memory
from sources.memory import MemorySource

from .api.conftest import POSTS, Process, serving
from .conftest import Place

Ask = Callable[[], tuple[str, str]]  # how it went, and which run it was told of


@pytest.fixture
def source() -> Iterator[MemorySource]:
    with memory.serving(MemorySource([{"id": 1, "userId": 1, "title": "one"}])) as source:
        yield source


@pytest.fixture
def document(tmp_path: Path, source: MemorySource, place: Place) -> Path:
    path = tmp_path / "posts.yaml"
    load = json.dumps({"table": "posts", "key": ["id"], **place.load})
    path.write_text(POSTS.replace("sample:posts", source.url).replace("{table: posts, key: [id]}", load))
    return path


@pytest.fixture
def services(document: Path, place: Place, tmp_path: Path) -> Iterator[list[Process]]:
    """Two, on one database."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving(document, tmp_path / "etl.db", tmp_path / f"{name}.log", **place.environ))
            for name in "ab"
        ]


def over_rest(service: Process, **headers: str) -> tuple[str, str]:
    answer = httpx.post(f"{service.url}/etl/run", headers=headers, timeout=120)
    body = answer.json()
    return ("began", body["id"]) if answer.status_code in (200, 202) else (body["reason"], body["run"]["id"])


def on_the_command_line(document: Path, place: Place, *options: str) -> tuple[str, str]:
    command = [sys.executable, "-m", "etl_service", "run", str(document), *options, "--output", "json"]
    ended = subprocess.run(command, env=place.environment, capture_output=True, text=True, timeout=120, check=False)
    if ended.returncode == 3:
        return "Busy", ended.stderr.split("run ")[1].split(" ")[0]
    return "began", json.loads(ended.stdout)["id"]


def runs_of(service: Process) -> list[Any]:
    return httpx.get(f"{service.url}/etl/runs").json()  # type: ignore[no-any-return]


@pytest.mark.slow
def test_of_fifty_who_ask_at_once_one_gets_a_run_and_all_others_are_told_its_id(
    services: list[Process], document: Path, place: Place, source: MemorySource
) -> None:
    # given
    first, second = services
    asks: list[Ask] = [
        *[lambda: over_rest(first)] * 20,
        *[lambda: over_rest(second)] * 20,
        *[lambda: on_the_command_line(document, place)] * 10,
    ]

    # when all ask while the source holds whichever run came first
    with ThreadPoolExecutor(len(asks)) as threads:
        with source.held():
            answers = [threads.submit(ask) for ask in asks]
            # A run that the command line made ends only when the source lets it: all others are told before that.
            told = list(islice(as_completed(answers), 49))
        every = [answer.result() for answer in answers]

    # then
    assert sorted(how for how, _ in every) == ["Busy"] * 49 + ["began"]
    assert len({run_id for _, run_id in every}) == 1
    assert len(told) == 49
    assert len(runs_of(first)) == len(source.requests) == 1


@pytest.mark.parametrize("who", ["the same service", "another service", "the command line"])
def test_a_request_that_comes_twice_makes_one_run(
    services: list[Process], document: Path, place: Place, source: MemorySource, who: str
) -> None:
    # given a request whose run has ended
    first, second = services
    began = over_rest(first, **{"Idempotency-Key": "deploy-7"})
    assert (
        httpx.post(f"{first.url}/etl/run?wait=true", headers={"Idempotency-Key": "deploy-7"}).json()["status"]
        == "succeeded"
    )

    # when
    again: dict[str, Ask] = {
        "the same service": lambda: over_rest(first, **{"Idempotency-Key": "deploy-7"}),
        "another service": lambda: over_rest(second, **{"Idempotency-Key": "deploy-7"}),
        "the command line": lambda: on_the_command_line(document, place, "--request-id", "deploy-7"),
    }
    answer = again[who]()

    # then
    assert answer == began
    assert len(runs_of(first)) == len(source.requests) == 1
