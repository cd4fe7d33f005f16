"""Every store keeps the same promises: the tests in `test_store.py` take it as a parameter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from etl_service.load.postgres.store import PostgresStore
from etl_service.load.sqlite.store import SqliteStore
from etl_service.load.store import Loaded, Query, Store, Target
from etl_service.model import Batch, Column, Counts, Reject, Run, Value
from sources.postgres import Server

POST = (Column("id", "integer"), Column("title", "text"))
POSTS = Target("default/posts", "posts", ("id",), "upsert")


@dataclass
class Loading:
    """Loads rows as a run does, with times and ids that count up."""

    store: Store
    target: Target = POSTS
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __call__(
        self,
        *rows: tuple[Value, ...],
        columns: Sequence[Column] = POST,
        rejects: Sequence[Reject] = (),
        batches: Sequence[Batch] = (),
        replayed: Sequence[int] = (),
        interrupt: Callable[[], bool] = lambda: False,
        **changes: Any,
    ) -> Run:
        number = next(self.numbers)
        target = replace(self.target, **changes)
        namespace, name = target.pipeline.split("/")
        with self.store.claim(target.pipeline) as claim:
            run = Run(id=f"run-{number}", namespace=namespace, pipeline=name, trigger="cli", started_at=moment(number))
            claim.begin(run)
            staging = claim.staging(target, run_id=run.id, loaded_at=moment(number))
            for batch in batches or [Batch(tuple(columns), rows, rejects)]:
                staging.write(batch)
            return claim.merge(lambda loaded: succeeded(run, loaded), replayed=replayed, interrupt=interrupt)

    def rows(self, table: str = "posts") -> list[tuple[Value, ...]]:
        """The table's mapped columns, in the order of its key."""
        found = self.store.table(table)
        assert found is not None
        return [row[:-2] for row in self.store.rows(found, Query(limit=None)).rows]

    def column(self, name: str, table: str = "posts") -> list[Value]:
        found = self.store.table(table)
        assert found is not None
        at = [column.name for column in found.columns].index(name)
        return [row[at] for row in self.store.rows(found, Query(limit=None)).rows]


def moment(number: int) -> str:
    return f"2026-01-01T00:00:{number:02}.000000Z"


def succeeded(run: Run, loaded: Loaded) -> Run:
    assert loaded.counts.add_up
    ended = {"status": "succeeded", "phase": "done", "counts": loaded.counts, "ended_at": run.started_at}
    return run.model_copy(update=ended | {"schema_changes": list(loaded.schema_changes)})


def reject(raw: bytes = b'{"id": null}', *, fetched_at: str | None = None) -> Reject:
    return Reject("http://source/posts", 1, 7, "id", "Required", "id is null", raw, fetched_at)


def soon(holds: Callable[[], bool]) -> None:
    """Wait for what travels by itself, within seconds."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until, "it did not become true in time"
        time.sleep(0.05)


def outcome(run: Run) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: count for name, count in run.counts.model_dump().items() if count}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened_store(request, tmp_path) as store:
        yield store


@contextmanager
def opened_store(request: pytest.FixtureRequest, folder: Path) -> Iterator[Store]:
    """The store that the fixture's parameter names, new."""
    store: Store
    if request.param == "sqlite":
        store = SqliteStore(folder / "etl.db")
    else:
        server: Server = request.getfixturevalue("postgres")
        store = PostgresStore(server.dsn, server.fresh_schema())
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def load(store: Store) -> Loading:
    return Loading(store)


__all__ = ["POST", "Counts", "Loading", "moment", "outcome", "reject", "soon", "succeeded"]
