"""The SQLite store: one file, readers that never wait, and one writer at a time."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from etl_service.load import reading
from etl_service.load.errors import DatabaseUnavailable, NotDivisible
from etl_service.load.sql import Connection
from etl_service.load.sqlite import engine
from etl_service.load.sqlite.claim import SqliteClaim
from etl_service.load.sqlite.connection import connect_reader, refuse_network_file_system, translated
from etl_service.load.sqlite.dialect import SQLITE
from etl_service.load.sqlite.lock import Beside
from etl_service.load.sqlite.staging import SqliteStaging
from etl_service.load.sqlstore import SqlStore
from etl_service.load.store import Part, Query, Row, Table, Target
from etl_service.model import Run


class SqliteStore(SqlStore):
    dialect = SQLITE
    prompt = True

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # the lock lies beside the file itself, by whichever name it is reached
        self._readers: dict[threading.Thread, sqlite3.Connection] = {}

    def prepare(self) -> None:
        refuse_network_file_system(self.path)
        engine.prepare(self.path, self.backup)

    def claim(self, pipeline: str) -> SqliteClaim:
        return SqliteClaim(self.path, Beside(self.path, pipeline))

    def let_go(self, run_id: str) -> None:
        """A pipeline is held by a process, and by nothing else."""

    def join(self, run: Run, index: int, target: Target, loaded_at: str) -> Part:
        raise NotDivisible("SQLite takes the rows of one process only; set load.postgres", field="extract.partitions")

    def cancel(self, run_id: str) -> bool:
        run = self.run(run_id)
        if run is None or run.ended:
            return False
        with translated(self.path):
            Beside(self.path, run.full_name).cancel(run_id)
        return True

    @contextmanager
    def preview(self, target: Target) -> Iterator[SqliteStaging]:
        with tempfile.TemporaryDirectory(prefix="etl-preview-") as folder:
            connection = connect_reader(self.path)
            try:
                yield SqliteStaging(connection, Path(folder) / "staging.db", target, run_id="", loaded_at="")
            finally:
                connection.close()

    def stream(self, table: Table, query: Query) -> Generator[Row, None, None]:
        # A connection of its own: the view stays as it was when the first row was read, however
        # slowly the last one is.
        connection = connect_reader(self.path)
        try:
            with translated(self.path):
                yield from reading.stream(connection, self.dialect, table, query)
        finally:
            connection.close()

    def backup(self, to: Path) -> None:
        """Write a copy in which no run is half there.

        Raises:
            DatabaseUnavailable: ``to`` exists, or cannot be written.
        """
        if to.exists():
            raise DatabaseUnavailable(f"{to} exists already; name a file that does not")
        unfinished = to.with_name(to.name + ".unfinished")
        unfinished.unlink(missing_ok=True)
        connection = connect_reader(self.path)
        try:
            with translated(to):
                connection.execute("VACUUM INTO ?", [str(unfinished)])
                unfinished.rename(to)
        finally:
            connection.close()
            unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        while self._readers:
            self._readers.popitem()[1].close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        connection = self._readers.get(threading.current_thread())
        if connection is None:
            connection = self._readers[threading.current_thread()] = connect_reader(self.path)
            for gone in [thread for thread in list(self._readers) if not thread.is_alive()]:
                if (left := self._readers.pop(gone, None)) is not None:
                    left.close()
        with translated(self.path):
            yield connection

    def _progress(self, connection: Connection, pipeline: str) -> Run | None:
        return Beside(self.path, pipeline).progress()
