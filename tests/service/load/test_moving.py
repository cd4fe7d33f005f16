"""A pipeline moves from SQLite to PostgreSQL with all there is of it, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from etl_service.load import moving
from etl_service.load.errors import Busy, TableOwned
from etl_service.load.moving import MovedBefore, MoveDiffers, NothingToMove, move
from etl_service.load.postgres.copy import copy_in
from etl_service.load.postgres.store import PostgresStore
from etl_service.load.sqlite.store import SqliteStore
from etl_service.load.store import Query, Store, Table
from etl_service.model import Column, Run
from etl_service.spec import ColumnType
from sources.postgres import Server

from .conftest import POST, POSTS, Loading, moment, outcome, reject
from .test_reading import ALL_TYPES, EMPTY, ONE, TWO

TIMED = (*POST, Column("at", "timestamp"))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "etl.db")) as store:
        store.prepare()
        yield store


@pytest.fixture
def target(postgres: Server) -> Iterator[PostgresStore]:
    with closing(PostgresStore(postgres.dsn, postgres.fresh_schema())) as store:
        store.prepare()
        yield store


@pytest.fixture
def load(source: SqliteStore) -> Loading:
    return Loading(source)


def table(store: Store, name: str = "posts") -> Table:
    found = store.table(name)
    assert found is not None
    return found


def test_all_there_is_of_it_is_there_and_the_next_run_goes_on_from_it(
    source: SqliteStore, target: PostgresStore, load: Loading
) -> None:
    # given runs, rejects and a cursor
    load((1, "a", moment(1)), (2, "b", None), columns=TIMED, rejects=[reject(b'{"id": "x"}')], cursor_column="at")
    load((2, "changed", moment(2)), columns=TIMED, rejects=[reject()], cursor_column="at")

    # when
    moved = move("default/posts", source, target)

    # then
    assert {name: part.count for name, part in moved.items() if name not in ("totals",)} == {
        "rows of posts": 2,
        "runs": 2,
        "rejected records": 2,
        "cursors": 1,
    }
    assert target.rows(table(target), Query()) == source.rows(table(source), Query())
    assert target.runs("default/posts") == source.runs("default/posts")
    assert target.totals("default/posts") == source.totals("default/posts")
    assert target.cursor(replace(POSTS, cursor_column="at")) == moment(2)
    there = Loading(target, numbers=iter([3]))
    assert outcome(there((2, "changed", moment(2)), (3, "c", None), columns=TIMED)) == {
        "fetched": 2,
        "inserted": 1,
        "unchanged": 1,
    }
    assert [run.id for run in target.runs("default/posts")] == ["run-3", "run-2", "run-1"]


def test_values_of_every_type_come_as_they_were(source: SqliteStore, target: PostgresStore, load: Loading) -> None:
    load(ONE, TWO, EMPTY, columns=ALL_TYPES)

    move("default/posts", source, target)

    assert Loading(target).rows() == load.rows()


def test_a_table_without_a_key_keeps_its_order(source: SqliteStore, target: PostgresStore, load: Loading) -> None:
    load((3, "c"), (1, "a"), (3, "c"), key=(), mode="append")

    move("default/posts", source, target)

    assert Loading(target).rows() == [(3, "c"), (1, "a"), (3, "c")]


def test_again_it_finds_both_the_same_and_does_nothing(
    source: SqliteStore, target: PostgresStore, load: Loading
) -> None:
    load((1, "a"))

    assert move("default/posts", source, target) == move("default/posts", source, target)


def test_what_goes_on_in_one_of_them_is_not_overwritten(
    source: SqliteStore, target: PostgresStore, load: Loading
) -> None:
    load((1, "a"))
    move("default/posts", source, target)
    Loading(target, numbers=iter([2]))((2, "b"))

    with pytest.raises(MovedBefore, match="already, and not as in"):
        move("default/posts", source, target)

    assert Loading(target).rows() == [(1, "a"), (2, "b")]


def test_a_run_under_way_is_not_moved(source: SqliteStore, target: PostgresStore, load: Loading) -> None:
    load((1, "a"))
    with source.claim("default/posts") as claim:
        claim.begin(Run(id="under-way", pipeline="posts", trigger="cli", started_at=moment(9)))

        with pytest.raises(Busy):
            move("default/posts", source, target)


def test_a_pipeline_that_the_file_does_not_know_is_named(source: SqliteStore, target: PostgresStore) -> None:
    with pytest.raises(NothingToMove, match="default/other"):
        move("default/other", source, target)


def test_a_table_of_somebody_else_is_left_alone(
    postgres: Server, source: SqliteStore, target: PostgresStore, load: Loading
) -> None:
    load((1, "a"))
    postgres.execute(f"CREATE TABLE {target.database.schema}.posts (mine text)")

    with pytest.raises(TableOwned):
        move("default/posts", source, target)

    assert target.runs("default/posts") == []


@pytest.mark.parametrize(
    ("column", "type", "value"),
    [
        ("title", "text", "a\0b"),
        ("at", "timestamp", "yesterday"),
        ("at", "timestamp", "2026-01-01T00:00:00"),
        ("day", "date", "31.01.2026"),
        ("more", "json", "{"),
    ],
)
@pytest.mark.parametrize("key", [("id",), ()])
def test_a_value_that_postgresql_cannot_hold_is_named(
    source: SqliteStore,
    target: PostgresStore,
    load: Loading,
    column: str,
    type: ColumnType,
    value: str,
    key: tuple[str, ...],
) -> None:
    # given one that another program has put into the file
    columns = (*TIMED, Column("day", "date"), Column("more", "json"))
    row = ("a", moment(1), "2026-01-31", "{}")
    load((1, *row), (2, *row), columns=columns, key=key, mode="upsert" if key else "append")
    with closing(sqlite3.connect(source.path)) as connection, connection:
        connection.execute(f"UPDATE posts SET {column} = ? WHERE id = 2", [value])

    named = f"column {column} of the row {'with id 2' if key else 'number 2'} in table posts is no {type}"
    with pytest.raises(MoveDiffers, match=named):
        move("default/posts", source, target)

    assert target.table("posts") is None


def test_what_reads_back_differently_is_not_kept(
    source: SqliteStore, target: PostgresStore, load: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    load((1, "a"))
    monkeypatch.setattr(moving, "copy_in", lambda raw, into, types, rows: copy_in(raw, into, types, list(rows)[:-1]))

    with pytest.raises(MoveDiffers, match="rows of posts"):
        move("default/posts", source, target)

    assert target.table("posts") is None
