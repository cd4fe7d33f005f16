"""The engine's own tables, and how a newer version finds them changed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from etl_service.load.errors import DatabaseUnavailable, SchemaTooNew
from etl_service.load.sqlite.connection import connect, connect_reader, transaction, translated

Migration = Sequence[str]

#: The n-th brings the engine's tables from version n to version n + 1. Never change one: add another.
MIGRATIONS: Sequence[Migration] = (
    (
        """CREATE TABLE etl_runs (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            pipeline TEXT NOT NULL,
            trigger TEXT NOT NULL,
            request_id TEXT,
            attempt INTEGER NOT NULL,
            status TEXT NOT NULL,
            reason TEXT,
            message TEXT,
            started_at TEXT NOT NULL,
            ended_at TEXT,
            phase TEXT NOT NULL,
            fetched INTEGER NOT NULL,
            inserted INTEGER NOT NULL,
            updated INTEGER NOT NULL,
            unchanged INTEGER NOT NULL,
            rejected INTEGER NOT NULL,
            skipped INTEGER NOT NULL,
            deleted INTEGER NOT NULL,
            pages INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            retries INTEGER NOT NULL,
            requests TEXT NOT NULL,
            extract_seconds REAL NOT NULL,
            transform_seconds REAL NOT NULL,
            load_seconds REAL NOT NULL,
            schema_changes TEXT NOT NULL,
            spec_hash TEXT NOT NULL,
            total INTEGER,
            UNIQUE (pipeline, request_id)
        ) STRICT""",
        "CREATE INDEX etl_runs_by_pipeline ON etl_runs (pipeline, seq)",
        "CREATE INDEX etl_runs_by_status ON etl_runs (pipeline, status, seq)",
        """CREATE TABLE etl_rejects (
            id INTEGER PRIMARY KEY,
            pipeline TEXT NOT NULL,
            run_id TEXT NOT NULL,
            url TEXT NOT NULL,
            page INTEGER NOT NULL,
            idx INTEGER NOT NULL,
            field TEXT,
            reason TEXT NOT NULL,
            message TEXT NOT NULL,
            raw TEXT NOT NULL,
            whole INTEGER NOT NULL,
            fetched_at TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX etl_rejects_by_run ON etl_rejects (pipeline, run_id, id)",
        """CREATE TABLE etl_tables (
            name TEXT PRIMARY KEY,
            pipeline TEXT NOT NULL,
            columns TEXT NOT NULL,
            key TEXT NOT NULL
        ) STRICT""",
        """CREATE TABLE etl_cursors (
            pipeline TEXT NOT NULL,
            tbl TEXT NOT NULL,
            col TEXT NOT NULL,
            value ANY NOT NULL,
            PRIMARY KEY (pipeline, tbl, col)
        ) STRICT""",
        """CREATE TABLE etl_totals (
            pipeline TEXT NOT NULL,
            name TEXT NOT NULL,
            label TEXT NOT NULL,
            value REAL NOT NULL,
            PRIMARY KEY (pipeline, name, label)
        ) STRICT""",
    ),
    ("ALTER TABLE etl_runs ADD COLUMN partitions TEXT",),
)


def prepare(path: Path, backup: Callable[[Path], None], migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the engine's tables to this version; ``backup`` is called first where there is something to lose.

    Raises:
        SchemaTooNew: a newer version has been here.
    """
    if path.exists() and version(path, len(migrations)) == len(migrations):
        return
    with translated(path):
        beside = path.with_name(path.name + ".d")
        beside.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside / "migrate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        current = version(path, len(migrations)) if path.exists() else 0
        if 0 < current < len(migrations):
            before = path.with_name(f"{path.name}.before-version-{len(migrations)}")
            before.unlink(missing_ok=True)  # of an attempt that did not come to its end
            backup(before)
        if current < len(migrations):
            _migrate(path, current, migrations)
    finally:
        os.close(descriptor)


def version(path: Path, newest: int) -> int:
    """The version of the engine's tables in the file; 0 where there are none.

    Raises:
        SchemaTooNew: above ``newest``.
    """
    with translated(path):
        connection = connect_reader(path)
        try:
            found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'etl_version'").fetchone()[0]
            current = int(connection.execute("SELECT version FROM etl_version").fetchone()[0]) if found else 0
        finally:
            connection.close()
    if current > newest:
        raise SchemaTooNew(
            f"{path} was written by a newer version of etl "
            f"(its tables are version {current}, this one knows {newest}); install the newer version"
        )
    return current


def _migrate(path: Path, current: int, migrations: Sequence[Migration]) -> None:
    with translated(path):
        connection = connect(path)
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise DatabaseUnavailable(f"{path} cannot use a write-ahead log (it stays in {mode}); use a local disk")
            _in_one_transaction(connection, current, migrations)
        finally:
            connection.close()


def _in_one_transaction(connection: sqlite3.Connection, current: int, migrations: Sequence[Migration]) -> None:
    with transaction(connection, "BEGIN IMMEDIATE"):
        for migration in migrations[current:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute("CREATE TABLE IF NOT EXISTS etl_version (version INTEGER NOT NULL) STRICT")
        connection.execute("DELETE FROM etl_version")
        connection.execute("INSERT INTO etl_version VALUES (?)", [len(migrations)])
