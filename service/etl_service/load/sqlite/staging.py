"""Rows and rejects of a run, out of readers' sight.

Staging is a database of its own, beside the main one and attached to it: what it costs is not logged, and
progress can be recorded while rows are still arriving. It is worth nothing after the run, and never synced.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from etl_service.load import merge
from etl_service.load.history import REJECT_COLUMNS, staged_reject
from etl_service.load.schema import ENGINE_COLUMNS, conform
from etl_service.load.sql import names, quote
from etl_service.load.sqlite.connection import transaction, translated
from etl_service.load.sqlite.ddl import add, create, rebuild
from etl_service.load.sqlite.dialect import SQLITE
from etl_service.load.store import Loaded, Target
from etl_service.model import Batch, Column

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
    dialect = SQLITE
    in_order = "ORDER BY s.rowid"
    rejects = "staging.etl_rejects ORDER BY rowid"

    def __init__(
        self, connection: sqlite3.Connection, path: Path, target: Target, *, run_id: str, loaded_at: str
    ) -> None:
        self.connection = connection
        self.target = target
        self.run_id = run_id
        self.loaded_at = loaded_at
        self.columns: tuple[Column, ...] = ()
        self.name, self.table = f"staging.{quote(target.table)}", f"main.{quote(target.table)}"
        self.alike = True  #: unless columns were added, which stand behind the engine's own
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
                    f"INSERT INTO staging.etl_rejects ({REJECT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [staged_reject(reject, self.loaded_at) for reject in batch.rejects],
                )
        self.written += len(batch.rows)
        self.rejected += len(batch.rejects)
        self.skipped += batch.skipped

    def compare(self) -> Loaded:
        with translated(self._path):
            return merge.compare(self)

    def settle(self) -> None:
        """A key that came again has replaced its earlier row already."""

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
            self.alike = False
        else:
            rebuild(self.connection, "staging", table, self.columns, after, key)
            self.alike = True
        self.columns = after

    def _insertion(self, batch: Batch) -> str:
        # A key that comes again replaces its earlier row: the last one wins. What is the same in
        # every row stands in the statement, not in each row.
        loaded_at = batch.fetched_at or self.loaded_at
        return (
            f"INSERT OR REPLACE INTO {self.name} ({names((*batch.columns, *ENGINE_COLUMNS))}) "
            f"VALUES ({'?, ' * len(batch.columns)}'{loaded_at}', '{self.run_id}')"
        )
