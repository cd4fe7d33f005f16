"""Rows and rejects of a run, out of readers' sight.

Staging is a database of its own, beside the main one and attached to it: what it costs is not logged, and
progress can be recorded while rows are still arriving. It is worth nothing after the run, and never synced.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from etl_service.load.schema import ENGINE_COLUMNS, conform
from etl_service.load.sqlite import merge
from etl_service.load.sqlite.connection import transaction, translated
from etl_service.load.sqlite.ddl import add, create, names, quote, rebuild
from etl_service.load.store import Loaded, Target
from etl_service.model import Batch, Column, Reject

#: A longer raw record is cut: it can be looked at, and not be replayed.
RAW_LIMIT = 1024 * 1024

_SETUP = (
    "PRAGMA staging.journal_mode = OFF",
    "PRAGMA staging.synchronous = OFF",
    "PRAGMA staging.cache_size = -16384",
    """CREATE TABLE staging.etl_rejects (
        url TEXT, page INTEGER, idx INTEGER, field TEXT, reason TEXT, message TEXT,
        raw TEXT, whole INTEGER, fetched_at TEXT
    ) STRICT""",
)


class SqliteStaging:
    def __init__(
        self, connection: sqlite3.Connection, path: Path, target: Target, *, run_id: str, loaded_at: str
    ) -> None:
        self.connection = connection
        self.target = target
        self.run_id = run_id
        self.loaded_at = loaded_at
        self.columns: tuple[Column, ...] = ()
        self.grown = False  #: columns were added behind the engine's own: SELECT * has another order than the table
        self.written = 0
        self.rejected = 0
        self.skipped = 0
        self._path = path
        with translated(path):
            connection.execute("ATTACH ? AS staging", [str(path)])
            for statement in _SETUP:
                connection.execute(statement)

    def write(self, batch: Batch) -> None:
        """Stage what became of a chunk; rows without any column are nothing to load, and count as skipped.

        Raises:
            SchemaConflict: a column became narrower than it was earlier in the run.
            DatabaseUnavailable: the disk is full, or failed.
        """
        with translated(self._path), transaction(self.connection, "BEGIN"):
            self._conform(batch.columns)
            if batch.rows and batch.columns:
                self.connection.executemany(self._insertion(batch), batch.rows)
            if batch.rejects:
                self.connection.executemany(
                    "INSERT INTO staging.etl_rejects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [_stored(reject, reject.fetched_at or self.loaded_at) for reject in batch.rejects],
                )
        self.written += len(batch.rows)
        self.rejected += len(batch.rejects)
        self.skipped += batch.skipped

    def compare(self) -> Loaded:
        with translated(self._path):
            return merge.compare(self.connection, self)

    def close(self) -> None:
        """Give the disk back."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.connection.execute("DETACH staging")
        self._path.unlink(missing_ok=True)

    def _conform(self, columns: tuple[Column, ...]) -> None:
        if columns == self.columns:
            return
        table, key = self.target.table, self.target.key
        after = conform(self.columns, columns, table, key)
        if not self.columns:
            create(self.connection, "staging", table, after, key)
        elif after[: len(self.columns)] == self.columns:
            add(self.connection, "staging", table, after[len(self.columns) :])
            self.grown = True
        else:
            rebuild(self.connection, "staging", table, self.columns, after, key)
            self.grown = False
        self.columns = after

    def _insertion(self, batch: Batch) -> str:
        # A key that comes again replaces its earlier row: the last one wins. What is the same in
        # every row stands in the statement, not in each row.
        loaded_at = batch.fetched_at or self.loaded_at
        return (
            f"INSERT OR REPLACE INTO staging.{quote(self.target.table)} ({names((*batch.columns, *ENGINE_COLUMNS))}) "
            f"VALUES ({'?, ' * len(batch.columns)}'{loaded_at}', '{self.run_id}')"
        )


def _stored(reject: Reject, fetched_at: str) -> tuple[str | int | None, ...]:
    raw = reject.raw[:RAW_LIMIT].decode("utf-8", errors="backslashreplace").replace("\0", "\\u0000")
    whole = len(reject.raw) <= RAW_LIMIT
    return (
        reject.url,
        reject.page,
        reject.index,
        reject.field,
        reject.reason,
        reject.message,
        raw,
        whole,
        fetched_at,
    )
