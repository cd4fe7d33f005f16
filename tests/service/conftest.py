"""Where whole runs load: the tests that take a `place` do so with each store."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from etl_service.load.postgres.store import PostgresStore
from etl_service.load.sqlite.store import SqliteStore
from etl_service.load.store import Store
from sources.postgres import Server


class Looking(Protocol):
    """Another program's connection."""

    def execute(self, statement: str) -> Any: ...


@dataclass
class Place:
    store: Store
    load: dict[str, Any]  #: what the document says of it
    environ: dict[str, str] = field(default_factory=dict)  #: what a process needs to find it

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.environ

    @contextmanager
    def looking(self) -> Iterator[Looking]:
        raise NotImplementedError

    def has(self, connection: Looking, table: str) -> bool:
        raise NotImplementedError

    def is_whole(self) -> bool:
        return True


class SqlitePlace(Place):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "etl.db"
        super().__init__(SqliteStore(self.path), {}, {"ETL_DATABASE": str(self.path)})

    @contextmanager
    def looking(self) -> Iterator[Looking]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            yield connection

    def has(self, connection: Looking, table: str) -> bool:
        return bool(connection.execute(f"SELECT 1 FROM sqlite_schema WHERE name = '{table}'").fetchone())

    def is_whole(self) -> bool:
        with self.looking() as connection:
            return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


class PostgresPlace(Place):
    def __init__(self, server: Server) -> None:
        self.schema = server.fresh_schema()
        dsn = server.dsn()
        load = {"postgres": {"dsn": {"env": "POSTGRES_DSN"}, "schema": self.schema}}
        store = PostgresStore(lambda: dsn, self.schema)
        super().__init__(store, load, {"POSTGRES_DSN": dsn})
        self._database = store.database

    @contextmanager
    def looking(self) -> Iterator[Looking]:
        with closing(self._database.connect()) as connection:
            yield connection

    def has(self, connection: Looking, table: str) -> bool:
        return bool(connection.execute(f"SELECT to_regclass('{table}') IS NOT NULL").fetchone()[0])


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: Server | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    place = PostgresPlace(server) if server else SqlitePlace(tmp_path)
    place.store.prepare()
    yield place
    place.store.close()
