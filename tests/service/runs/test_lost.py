"""Runs whose process could not say what became of them, and what others know of that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from documents import pipeline
from etl_service.load.errors import Busy
from etl_service.load.sqlite.store import SqliteStore
from etl_service.model import Run
from etl_service.runs import Lost, World, complete, end_dead

WHO = "default/posts"
POSTS = pipeline("https://api.example.com/posts")
NOON = "2026-01-01T12:00:00.000000Z"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "etl.db")
    store.prepare()
    yield store
    store.close()


def lost(request_id: str = "one", **fields: Any) -> Lost:
    usual = {"reason": "OutOfMemory", "message": "out of memory at 256Mi; raise run.resources.limits.memory"}
    return Lost(request_id=request_id, trigger="request", started_at=NOON, ended_at=NOON, **(usual | fields))


def dead(store: SqliteStore, request_id: str = "one") -> Run:
    """A run that began and was killed, as it is found."""
    with store.claim(WHO) as claim:
        claim.begin(Run(id="r-1", pipeline="posts", trigger="request", request_id=request_id, started_at=NOON))
    found = end_dead(store, WHO, datetime(2026, 1, 1, 13, tzinfo=UTC))
    assert found is not None and found.reason == "ProcessLost"
    return found


def test_the_cause_completes_the_record_and_counts_nothing_twice(store: SqliteStore) -> None:
    before = dead(store)
    totals = store.totals(WHO)

    (told,) = complete(POSTS, store, [lost()], World())

    assert told == before.model_copy(update={"reason": told.reason, "message": told.message})
    assert told.reason == "OutOfMemory"
    assert store.run("r-1") == told
    assert store.totals(WHO) == totals


def test_a_run_that_never_began_is_recorded_as_it_is_told(store: SqliteStore) -> None:
    complete(POSTS, store, [lost(reason="Unschedulable", message="no node takes its pod")], World())

    (run,) = store.runs(WHO)
    assert (run.request_id, run.status, run.reason, run.phase) == ("one", "failed", "Unschedulable", "done")
    assert (run.started_at, run.ended_at) == (NOON, NOON)


def test_what_has_been_told_is_not_told_again(store: SqliteStore) -> None:
    complete(POSTS, store, [lost()], World())

    assert complete(POSTS, store, [lost()], World()) == []
    assert len(store.runs(WHO)) == 1


def test_a_record_that_says_itself_how_it_ended_stands(store: SqliteStore) -> None:
    with store.claim(WHO) as claim:
        run = Run(id="r-1", pipeline="posts", trigger="request", request_id="one", started_at=NOON)
        claim.begin(run)
        claim.end(run.model_copy(update={"status": "failed", "reason": "HttpError", "ended_at": NOON}))

    assert complete(POSTS, store, [lost()], World()) == []


def test_it_waits_for_a_run_that_is_under_way(store: SqliteStore) -> None:
    with store.claim(WHO), pytest.raises(Busy):
        complete(POSTS, store, [lost()], World())
