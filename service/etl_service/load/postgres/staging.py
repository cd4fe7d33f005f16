"""Rows and rejects of a run, out of readers' sight.

Staging is two tables beside the real one, unlogged: writing them costs no log, and is lost with a server that crashes
or fails over. So what is there is counted before it is merged. Rows come by COPY in its binary form, a batch in one
transaction, and a key that comes again is looked for at the end, when all rows are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from etl_service.load import merge
from etl_service.load.errors import StagingLost
from etl_service.load.history import REJECT_COLUMNS, staged_reject
from etl_service.load.postgres.connection import Link
from etl_service.load.postgres.copy import copy_in
from etl_service.load.postgres.dialect import ARRIVAL, POSTGRES, staged_columns
from etl_service.load.schema import conform
from etl_service.load.sql import names, quote
from etl_service.load.store import Loaded, Target
from etl_service.model import Batch, Column
from etl_service.spec import ColumnType

_REJECT_TYPES: tuple[ColumnType, ...] = (
    "text", "integer", "integer", "text", "text", "text", "text", "boolean", "text",
)  # fmt: skip
_REJECTS = f"""
    url text, page bigint, idx bigint, field text, reason text, message text, raw text, whole boolean, fetched_at text,
    {ARRIVAL} bigint {{}}
"""


class PostgresStaging:
    dialect = POSTGRES

    def __init__(
        self,
        name: str,
        target: Target,
        *,
        run_id: str,
        loaded_at: str,
        link: Callable[[], Link],
        kind: str = "UNLOGGED",
        first: int = 1,
    ) -> None:
        """Make it.

        Args:
            link: gives the connection as it is now.
            kind: TEMPORARY for one that only that connection sees.
            first: the number of the first row.
        """
        self.target = target
        self.run_id = run_id
        self.loaded_at = loaded_at
        self.columns: tuple[Column, ...] = ()
        self.written = 0
        self.rejected = 0
        self.skipped = 0
        self.name, self.table = quote(name), quote(target.table)  # found by the search path, a temporary one first
        self.rejects = f"{quote(name + '_rejects')} ORDER BY {ARRIVAL}"
        # Where there is a key, it says all there is about the order.
        self.in_order = "" if target.key else f"ORDER BY s.{ARRIVAL}"
        self.alike = False
        self.own_name = name
        self._rejects = quote(name + "_rejects")
        self._number = f"GENERATED ALWAYS AS IDENTITY (START WITH {first} CACHE 1000)"
        self._copied = 0
        self._link = link
        self._kind = kind
        self.connection.execute(f"CREATE {kind} TABLE IF NOT EXISTS {self._rejects} ({_REJECTS.format(self._number)})")

    @property
    def connection(self) -> Link:
        return self._link()

    def write(self, batch: Batch) -> None:
        """Stage what became of a chunk, all of it or nothing; rows without any column count as skipped.

        Raises:
            SchemaConflict: a column became narrower than it was earlier in the run.
        """
        link = self.connection
        after = conform(self.columns, batch.columns, self.target.table, self.target.key)
        rows = batch.rows if batch.columns else ()
        with link.raw.transaction():
            if after != self.columns:
                self._grow(link, after)
            if rows:
                columns, types = names(batch.columns), [column.type for column in batch.columns]
                if self.target.replay:
                    columns, types = f"{columns}, loaded_at", [*types, "timestamp"]
                    rows = [(*row, batch.fetched_at or self.loaded_at) for row in rows]
                copy_in(link.raw, f"{self.name} ({columns})", types, rows)
            if batch.rejects:
                rejects = [staged_reject(reject, self.loaded_at) for reject in batch.rejects]
                copy_in(link.raw, f"{self._rejects} ({REJECT_COLUMNS})", _REJECT_TYPES, rejects)
        self._count(batch)

    def compare(self) -> Loaded:
        return merge.compare(self)

    def has(self, batch: Batch) -> bool:
        """Whether a batch is there whose writing was cut off at an unknown moment.

        Raises:
            StagingLost: what was there before is not, or it cannot be known.
        """
        link = self.connection
        with link.raw.transaction():
            # Whoever was writing is gone once the lock can be had.
            tables = f"{self.name}, {self._rejects}" if self.columns else self._rejects
            link.execute(f"LOCK TABLE {tables} IN SHARE MODE")
            is_made = link.execute("SELECT to_regclass(?) IS NOT NULL", [self.name]).fetchone()[0]
            there = self._there(link)
        if not self.columns and batch.columns:  # it was to be made with the batch
            if is_made:
                self._count(batch)
            return bool(is_made)
        rows, rejects = len(batch.rows) if batch.columns else 0, len(batch.rejects)
        grows = self.columns != conform(self.columns, batch.columns, self.target.table, self.target.key)
        if grows and not rows and not rejects:  # by which to know whether the columns are there
            raise _lost()
        if there == (self._copied, self.rejected):
            return False
        if there != (self._copied + rows, self.rejected + rejects):
            raise _lost()
        self._count(batch)
        return True

    def settle(self) -> None:
        link = self.connection
        if self._there(link) != (self._copied, self.rejected):
            raise _lost()
        if self.columns and self.target.key:
            key = ", ".join(map(quote, self.target.key))
            link.execute(f"ANALYZE {self.name} ({key})")  # of the rest, the planner need not know
            same = " AND ".join(f"s.{name} = d.{name}" for name in map(quote, self.target.key))
            link.execute(
                f"DELETE FROM {self.name} AS s USING (SELECT {key}, max({ARRIVAL}) AS last FROM {self.name} "
                f"GROUP BY {key} HAVING count(*) > 1) AS d WHERE {same} AND s.{ARRIVAL} < d.last"
            )

    def close(self) -> None:
        """Give the disk back."""
        self.connection.execute(f"DROP TABLE IF EXISTS {self.name}, {self._rejects}")

    def _grow(self, link: Link, after: tuple[Column, ...]) -> None:
        if not self.columns:
            columns = staged_columns(after, self._number, replay=self.target.replay)
            link.execute(f"CREATE {self._kind} TABLE {self.name} ({columns})")
        else:
            POSTGRES.widen(link, self.own_name, self.columns, after, self.target.key)

    def _count(self, batch: Batch) -> None:
        self.columns = conform(self.columns, batch.columns, self.target.table, self.target.key)
        self.written += len(batch.rows)
        self.rejected += len(batch.rejects)
        self.skipped += batch.skipped
        self._copied += len(batch.rows) if batch.columns else 0

    def _there(self, link: Link) -> tuple[int, int]:
        """How many rows and how many rejects staging holds."""
        tables: Sequence[str] = (self.name, self._rejects) if self.columns else (self._rejects,)
        try:
            counts = [link.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
        except psycopg.errors.UndefinedTable:
            raise _lost() from None
        return (counts[0], counts[1]) if self.columns else (0, counts[0])


@dataclass(frozen=True, slots=True)
class Staged:
    """What one partition has staged, once it is complete."""

    name: str  #: of its table
    columns: tuple[Column, ...]
    written: int
    rejected: int
    skipped: int

    @classmethod
    def of(cls, staging: PostgresStaging) -> Staged:
        return cls(staging.own_name, staging.columns, staging.written, staging.rejected, staging.skipped)

    def to_json(self) -> str:
        columns = [(column.name, column.type) for column in self.columns]
        return json.dumps([self.name, columns, self.written, self.rejected, self.skipped])

    @classmethod
    def from_json(cls, text: str) -> Staged:
        name, columns, *counts = json.loads(text)
        return cls(name, tuple(Column(*column) for column in columns), *counts)


class Gathered(PostgresStaging):
    """What the partitions of a run have staged, as one: their tables are put under one that has the same columns.

    To be made inside the transaction that merges it.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[Staged],
        target: Target,
        *,
        run_id: str,
        loaded_at: str,
        link: Callable[[], Link],
    ) -> None:
        super().__init__(name, target, run_id=run_id, loaded_at=loaded_at, link=link)
        self._number = "NOT NULL"
        self.written, self.rejected, self.skipped = (
            sum(getattr(part, count) for part in parts) for count in ("written", "rejected", "skipped")
        )
        self._copied = sum(part.written for part in parts if part.columns)
        columns = next((part.columns for part in parts if part.columns), ())  # all have the document's
        if columns:
            self._grow(self.connection, columns)
            self.columns = columns
        for part in parts:
            self._take_in(part)

    def _take_in(self, part: Staged) -> None:
        try:
            if part.columns:
                self.connection.execute(f"ALTER TABLE {quote(part.name)} INHERIT {self.name}")
            self.connection.execute(f"ALTER TABLE {quote(part.name + '_rejects')} INHERIT {self._rejects}")
        except psycopg.errors.UndefinedTable:
            raise _lost() from None


def drop_left(link: Link, prefix: str) -> None:
    """Remove what is staged under names that begin so; what is still being written to is for the next time."""
    found = link.execute(
        "SELECT relname FROM pg_class WHERE starts_with(relname, ?) AND relkind = 'r' "
        "AND relnamespace = quote_ident(current_schema())::regnamespace "
        "ORDER BY length(relname) DESC",  # those of partitions before what they have been put under
        [prefix],
    ).fetchall()
    for (name,) in found:
        with suppress(psycopg.errors.LockNotAvailable):
            link.execute(f"DROP TABLE IF EXISTS {quote(name)}")


def _lost() -> StagingLost:
    return StagingLost(
        "what this run had staged is gone: the server crashed or failed over; run again. Nothing was changed"
    )
