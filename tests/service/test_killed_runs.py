"""A run that dies at any instruction leaves no row of its own, and the next one converges.

`make test` kills a few runs of each mode; `make faults` kills two hundred in all, or ``ETL_FAULTS``.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from documents import written
from etl_service.load.store import Store
from etl_service.model import Run
from etl_service.runs import end_dead
from etl_service.runs.world import utc_now
from sources.memory import MemorySource, serving

from .conftest import Looking, Place

MODES = ("upsert", "append", "replace")
MANY = int(os.environ.get("ETL_FAULTS", "200")) // len(MODES) + 1
ROWS = 8_000
State = tuple[int, str | None, str | None]  #: rows, least title, greatest title


def version(mode: str, number: int) -> list[dict[str, Any]]:
    """What the source has at its n-th state: an append finds more rows, an upsert others, a replace fewer or more."""
    count = ROWS if mode == "upsert" else ROWS + 500 * (number % 7) if mode == "replace" else 1_000 * number
    title = "always" if mode == "append" else f"version {number}"
    return [{"id": row, "title": title, "body": "b" * 200} for row in range(count)]


def state_of(records: list[dict[str, Any]]) -> State:
    return (len(records), records[0]["title"], records[-1]["title"]) if records else (0, None, None)


@dataclass
class Reader:
    """Polls the table as a reader would, for as long as runs come and go."""

    place: Place
    seen: set[State] = field(default_factory=set)
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Reader:
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join()

    def _poll(self) -> None:
        with self.place.looking() as connection:
            while not self._done.wait(0.01):
                self.seen.add(look(self.place, connection))


def look(place: Place, connection: Looking) -> State:
    if not place.has(connection, "posts"):
        return (0, None, None)
    found: State = connection.execute("SELECT count(*), min(title), max(title) FROM posts").fetchone()
    return found


@pytest.fixture
def source() -> Iterator[MemorySource]:
    with serving(MemorySource(page_size=2_000)) as source:
        yield source


def start(document: Path, place: Place) -> subprocess.Popen[bytes]:
    """Start a run, which says on its output when it has begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "etl_service", "run", str(document), "--announce"],
        env=place.environment,
        stdout=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> float:
    """Wait for a run that succeeds; gives the seconds from its beginning to its end."""
    with process:
        assert process.stdout
        process.stdout.readline()
        began = time.monotonic()
        assert process.wait(60) == 0
        return time.monotonic() - began


def kill(process: subprocess.Popen[bytes], after: float, *, begun: bool) -> None:
    """Kill a run so many seconds after it was started, or after it has begun."""
    with process:
        assert process.stdout
        if begun:
            process.stdout.readline()
        time.sleep(after)  # the moment is what this test is about
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_killed_at_any_moment_leaves_the_old_rows_or_the_new_ones(
    mode: str, source: MemorySource, place: Place, tmp_path: Path
) -> None:
    kill_runs(5, mode, source, place, tmp_path)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", MODES)
def test_many_killed_runs_leave_the_old_rows_or_the_new_ones(
    mode: str, source: MemorySource, place: Place, tmp_path: Path
) -> None:
    kill_runs(MANY, mode, source, place, tmp_path)


def kill_runs(kills: int, mode: str, source: MemorySource, place: Place, tmp_path: Path) -> None:
    document = written(tmp_path, source.url, load={"mode": mode, **place.load}, transform={})
    source.records = version(mode, 1)
    usual = finish(start(document, place))
    chance = random.Random(20261123)
    ends = {"interrupted": 0, "succeeded": 0, "unrecorded": 0}

    for number in range(2, kills + 2):
        before, after = state_of(source.records), state_of(version(mode, number))
        source.records = version(mode, number)
        known = {run.id for run in place.store.runs("default/posts", limit=1000)}

        with Reader(place) as reader:
            kill(start(document, place), chance.uniform(0, usual * 1.1), begun=number % 5 > 0)

        killed = dead_run(place.store, known)
        ends[killed.status if killed else "unrecorded"] += 1
        assert reader.seen <= {before, after}
        assert place.is_whole()
        if killed and killed.status == "interrupted":
            assert killed.reason == "ProcessLost"
            assert killed.counts.add_up
        assert look_once(place) == (after if killed and killed.status == "succeeded" else before)

        finish(start(document, place))
        assert look_once(place) == after

    print(f"{mode}: killed runs ended as {ends}")


def dead_run(store: Store, known: set[str]) -> Run | None:
    """The killed run's record as the next looks find it: a server takes a moment to notice that a client is gone."""
    until = time.monotonic() + 30
    while store.running("default/posts") and time.monotonic() < until:
        end_dead(store, "default/posts", utc_now())
    new = [run for run in store.runs("default/posts", limit=3) if run.id not in known]
    return new[0] if new else None


def look_once(place: Place) -> State:
    with place.looking() as connection:
        return look(place, connection)
