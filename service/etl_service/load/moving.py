"""A pipeline from SQLite to PostgreSQL: all of it or nothing, and proven to be the same before it counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import astuple, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from etl_service.errors import LoadError
from etl_service.load import history, merge, reading
from etl_service.load.catalogue import carry_out, catalogued
from etl_service.load.postgres.connection import Link, Streaming
from etl_service.load.postgres.copy import copy_in
from etl_service.load.postgres.store import PostgresStore
from etl_service.load.schema import mapped, plan
from etl_service.load.sql import Connection, Dialect, names, quote
from etl_service.load.sqlite.connection import connect_reader
from etl_service.load.sqlite.store import SqliteStore
from etl_service.load.store import Query, Row, StoredReject, Table, Target
from etl_service.spec import ColumnType


class NothingToMove(LoadError):
    """The SQLite file does not know the pipeline."""

    reason = "NothingToMove"


class MovedBefore(LoadError):
    """The pipeline has a history in PostgreSQL that is not the one of the file."""

    reason = "MovedBefore"


class MoveDiffers(LoadError):
    """What was written does not read back as it was; nothing of it is kept."""

    reason = "MoveDiffers"


@dataclass(frozen=True, slots=True)
class Digest:
    count: int
    sha256: str


Digests = Mapping[str, Digest]


@dataclass(frozen=True, slots=True)
class Side:
    """A pipeline as one of the two databases has it."""

    connection: Connection
    streaming: Connection  #: answers a few rows at a time
    dialect: Dialect
    pipeline: str

    def tables(self) -> list[Table]:
        found = self.connection.execute("SELECT name FROM etl_tables WHERE pipeline = ? ORDER BY name", [self.pipeline])
        tables = [catalogued(self.connection, self.dialect, name) for (name,) in found.fetchall()]
        return [table for table in tables if table is not None]

    def rows(self, table: Table) -> Iterator[tuple[Any, ...]]:
        return reading.stream(self.streaming, self.dialect, table, Query(limit=None))

    def parts(self) -> Iterator[tuple[str, Iterable[Any]]]:
        """All there is of the pipeline, by what it is called."""
        for table in self.tables():
            yield f"rows of {table.name}", self.rows(table)
        runs = history.runs(self.connection, self.pipeline, limit=history.RUNS_KEPT, before=None, status=None)
        yield "runs", (run.model_dump(mode="json") for run in runs)
        yield "rejected records", (astuple(replace(reject, id=0)) for reject in self.rejects())
        yield "cursors", self.cursors()
        yield "totals", sorted(history.totals(self.connection, self.pipeline).items())

    def rejects(self) -> Iterator[StoredReject]:
        after = 0
        while found := history.rejects(self.connection, self.pipeline, run_id=None, limit=50, after=after):
            after = found[-1].id
            yield from found

    def cursors(self) -> list[tuple[Any, ...]]:
        statement = "SELECT tbl, col, value FROM etl_cursors WHERE pipeline = ? ORDER BY tbl, col"
        return [tuple(row) for row in self.connection.execute(statement, [self.pipeline])]

    def digests(self) -> Digests:
        return {name: _digest(part) for name, part in self.parts()}


def move(pipeline: str, source: SqliteStore, target: PostgresStore) -> Digests:
    """Copy it, while no run of either side is under way; gives what both hold, by its parts.

    Where the target has it already, and the same, nothing is done.

    Raises:
        Busy: a run of the pipeline is under way.
        NothingToMove, MovedBefore: see there.
        MoveDiffers: the two could not be shown to be the same.
    """
    with source.claim(pipeline), target.claim(pipeline) as claim, closing(connect_reader(source.path)) as reader:
        here = Side(reader, reader, source.dialect, pipeline)
        wanted = here.digests()
        if not any(part.count for part in wanted.values()):
            raise NothingToMove(f"{source.path} holds nothing of pipeline {pipeline}; name another with --database")

        def step(link: Link) -> Digests:
            with link.raw.cursor(name="rows", scrollable=False) as rows:
                there = Side(link, Streaming(rows), target.dialect, pipeline)
                if there.tables() or history.runs(link, pipeline, limit=1, before=None, status=None):
                    if there.digests() != wanted:
                        raise MovedBefore(
                            f"pipeline {pipeline} is at {target.database.where} already, and not as in {source.path}; "
                            "name an empty load.postgres.schema"
                        )
                    return wanted
                _copy(here, source.path, link, target.dialect)
                found = there.digests()
            if found != wanted:
                differing = ", ".join(name for name in wanted if found.get(name) != wanted[name])
                raise MoveDiffers(f"what was written reads back differently ({differing}); nothing of it was kept")
            return found

        return claim.in_one_transaction(step)


def _copy(here: Side, path: Path, link: Link, dialect: Dialect) -> None:
    pipeline = here.pipeline
    for table in here.tables():
        target = Target(pipeline, table.name, table.key, "append")
        existing = catalogued(link, dialect, table.name)
        carry_out(link, dialect, target, plan(existing, target, mapped(table.columns)))
        types = [column.type for column in table.columns]
        try:
            copy_in(link.raw, f"{quote(table.name)} ({names(table.columns)})", types, here.rows(table))
        except (psycopg.DataError, ValueError, TypeError):
            if (unfit := _unfit(table, here.rows(table))) is None:
                raise
            raise MoveDiffers(f"{unfit}; change it in {path} and move again. Nothing was moved") from None
        dialect.filled(link, table.name, table.key)
    runs = history.runs(here.connection, pipeline, limit=history.RUNS_KEPT, before=None, status=None)
    for run in reversed(runs):
        history.save_run(link, run)
    history.copy_rejects(link, pipeline, here.rejects())
    for table_name, column, value in here.cursors():
        merge.keep_cursor(link, dialect, Target(pipeline, table_name, (), "append", cursor_column=column), value)
    history.add_totals(link, pipeline, history.totals(here.connection, pipeline))


def _unfit(table: Table, rows: Iterable[Row]) -> str | None:
    """The first value that PostgreSQL cannot hold: SQLite takes what others than us may have put there."""
    at = [[column.name for column in table.columns].index(name) for name in table.key]
    for number, row in enumerate(rows, 1):
        for column, value in zip(table.columns, row, strict=True):
            if value is not None and not _fits(value, column.type):
                key = ", ".join(f"{name} {row[index]!r}" for name, index in zip(table.key, at, strict=True))
                where = f"with {key}" if key else f"number {number}"
                return f"column {column.name} of the row {where} in table {table.name} is no {column.type}"
    return None


def _fits(value: Any, type: ColumnType) -> bool:
    if type in ("integer", "number", "boolean"):
        return isinstance(value, int | float)
    if not isinstance(value, str) or "\0" in value:
        return False
    with suppress(ValueError):
        if type == "timestamp":
            return datetime.fromisoformat(value).tzinfo is not None
        if type == "date":
            date.fromisoformat(value)
        elif type == "json":
            json.loads(value)
        return True
    return False


def _digest(part: Iterable[Any]) -> Digest:
    """Of each item in turn, as JSON."""
    digest, count, encode = hashlib.sha256(), 0, msgspec.json.Encoder().encode
    for item in part:
        count += 1
        digest.update(encode(item) + b"\n")
    return Digest(count, digest.hexdigest())
