"""The SQLite store: one file, readers that never wait, and one writer at a time."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from etl_service.load.errors import DatabaseUnavailable
from etl_service.load.sqlite import engine, history, merge, reading
from etl_service.load.sqlite.claim import SqliteClaim
from etl_service.load.sqlite.connection import connect_reader, refuse_network_file_system, translated
from etl_service.load.sqlite.ddl import catalogued, teach_widening
from etl_service.load.sqlite.lock import Beside
from etl_service.load.sqlite.staging import SqliteStaging
from etl_service.load.store import Query, Row, Rows, StoredReject, Table, TableStats, Target
from etl_service.model import Run, Status, Value


class SqliteStore:
    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # the lock lies beside the file itself, by whichever name it is reached
        self._readers: dict[threading.Thread, sqlite3.Connection] = {}

    def prepare(self) -> None:
        refuse_network_file_system(self.path)
        engine.prepare(self.path, self.backup)

    def claim(self, pipeline: str) -> SqliteClaim:
        return SqliteClaim(self.path, Beside(self.path, pipeline))

    def run(self, run_id: str) -> Run | None:
        with self._reading() as connection:
            return self._live(history.find_run(connection, run_id))

    def runs(
        self, pipeline: str, *, limit: int = 20, before: str | None = None, status: Status | None = None
    ) -> list[Run]:
        with self._reading() as connection:
            found = history.runs(connection, pipeline, limit=limit, before=before, status=status)
        return [self._live(run) or run for run in found]

    def requested(self, pipeline: str, request_id: str) -> Run | None:
        with self._reading() as connection:
            return self._live(history.find_request(connection, pipeline, request_id))

    def running(self, pipeline: str) -> Run | None:
        return self.last(pipeline, "running")

    def last(self, pipeline: str, status: Status | None = None) -> Run | None:
        return next(iter(self.runs(pipeline, limit=1, status=status)), None)

    def rejects(
        self, pipeline: str, *, run_id: str | None = None, limit: int | None = 100, after: int = 0
    ) -> list[StoredReject]:
        with self._reading() as connection:
            return history.rejects(connection, pipeline, run_id=run_id, limit=limit, after=after)

    def cancel(self, run_id: str) -> bool:
        run = self.run(run_id)
        if run is None or run.ended:
            return False
        with translated(self.path):
            Beside(self.path, run.full_name).cancel(run_id)
        return True

    def pipelines(self) -> list[str]:
        with self._reading() as connection:
            return history.pipelines(connection)

    def totals(self, pipeline: str) -> Mapping[tuple[str, str], float]:
        with self._reading() as connection:
            return history.totals(connection, pipeline)

    def cursor(self, target: Target) -> Value:
        with self._reading() as connection:
            return merge.cursor(connection, target)

    @contextmanager
    def preview(self, target: Target) -> Iterator[SqliteStaging]:
        with tempfile.TemporaryDirectory(prefix="etl-preview-") as folder:
            connection = connect_reader(self.path)
            teach_widening(connection)
            try:
                yield SqliteStaging(connection, Path(folder) / "staging.db", target, run_id="", loaded_at="")
            finally:
                connection.close()

    def table(self, name: str) -> Table | None:
        with self._reading() as connection:
            return catalogued(connection, name)

    def rows(self, table: Table, query: Query) -> Rows:
        with self._reading() as connection:
            return reading.rows(connection, table, query)

    def stream(self, table: Table, query: Query) -> Generator[Row, None, None]:
        # A connection of its own: the view stays as it was when the first row was read, however
        # slowly the last one is.
        connection = connect_reader(self.path)
        try:
            with translated(self.path):
                yield from reading.stream(connection, table, query)
        finally:
            connection.close()

    def stats(self, table: Table) -> TableStats:
        with self._reading() as connection:
            return reading.stats(connection, table)

    def check(self) -> None:
        with self._reading() as connection:
            connection.execute("SELECT version FROM etl_version").fetchone()

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

    def _live(self, run: Run | None) -> Run | None:
        """The record with the progress that its run last published."""
        if run is None or run.ended:
            return run
        progress = Beside(self.path, run.full_name).progress()
        return progress if progress is not None and progress.id == run.id and not progress.ended else run
