"""The PostgreSQL store: a schema that several pipelines may share, read and run from any number of machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg

from etl_service.load import reading
from etl_service.load.errors import BackupUnsupported, Busy, DatabaseUnavailable, QueryError
from etl_service.load.postgres import engine, lease
from etl_service.load.postgres.claim import PostgresClaim
from etl_service.load.postgres.connection import Asking, Link, Pool, Streaming, read_dsn
from etl_service.load.postgres.dialect import POSTGRES
from etl_service.load.postgres.errors import is_passing, translated
from etl_service.load.postgres.part import PostgresPart
from etl_service.load.postgres.partitions import read_progress
from etl_service.load.postgres.staging import PostgresStaging
from etl_service.load.sql import Connection
from etl_service.load.sqlstore import SqlStore
from etl_service.load.store import Query, Row, Rows, Table, TableStats, Target
from etl_service.model import Run

#: Connections of a process for what is read at once, and for what may read a whole table: searches, exports, previews.
READERS = 4
SLOW_READERS = 4
#: How long an answer may take, in seconds; an export or a preview takes as long as it does.
READING = 30
#: How long the first connection is tried for where the server is only just coming up, or is full, in seconds.
_PATIENCE = 5.0
_PAUSE = 0.5


class PostgresStore(SqlStore):
    dialect = POSTGRES
    prompt = False

    def __init__(self, dsn: Callable[[], str], schema: str = "public") -> None:
        """``dsn`` reads the connection string; DatabaseUnavailable is raised where it is none. Connects later."""
        self.database = read_dsn(dsn, schema)
        connect = partial(self.database.connect, READING)
        self._readers = Pool(connect, READERS)
        self._slow_readers = Pool(connect, SLOW_READERS)

    def prepare(self) -> None:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return engine.prepare(self.database)
            except DatabaseUnavailable as error:
                if not is_passing(error) or time.monotonic() >= until:
                    raise
            time.sleep(_PAUSE)

    def claim(self, pipeline: str) -> PostgresClaim:
        # While a run is on, each service looks twice a second whether it lives.
        with self._reading() as connection:
            if run_id := lease.holder(connection, self.database.schema, pipeline):
                raise Busy(pipeline, run_id)
        return PostgresClaim(self.database, pipeline)

    def join(self, run: Run, index: int, target: Target, loaded_at: str) -> PostgresPart:
        return PostgresPart(self.database, run, index, target, loaded_at)

    def cancel(self, run_id: str) -> bool:
        run = self.run(run_id)
        if run is None or run.ended:
            return False
        with self._reading() as connection:
            lease.ask_to_cancel(connection, run)
        return True

    def let_go(self, run_id: str) -> None:
        with self._reading() as connection:
            lease.let_go(connection, run_id)

    @contextmanager
    def preview(self, target: Target) -> Iterator[PostgresStaging]:
        with translated(self.database), self._slow_readers.connection() as connection:
            try:
                connection.execute("SET statement_timeout TO 0")
                yield PostgresStaging(
                    "etl_preview", target, run_id="", loaded_at="", link=lambda: Link(connection), kind="TEMPORARY"
                )
            finally:
                connection.close()  # and what is temporary is gone

    def rows(self, table: Table, query: Query) -> Rows:
        pool = self._readers if reading.is_prompt(table, query) else self._slow_readers
        with translated(self.database), pool.connection() as connection, _answerable(query):
            return reading.rows(Asking(connection), self.dialect, table, query)

    def stats(self, table: Table) -> TableStats:
        with translated(self.database), self._slow_readers.connection() as connection:
            return reading.stats(Link(connection), self.dialect, table)

    def stream(self, table: Table, query: Query) -> Generator[Row, None, None]:
        # In a transaction of its own: the view stays as it was when the first row was read, however
        # slowly the last one is.
        with (
            translated(self.database),
            self._slow_readers.connection() as connection,
            _answerable(query),
            connection.transaction(),
            connection.cursor(name="rows") as cursor,
        ):
            connection.execute("SET LOCAL statement_timeout TO 0")
            yield from reading.stream(Streaming(cursor), self.dialect, table, query)

    def backup(self, to: Path) -> None:
        raise BackupUnsupported(
            f"PostgreSQL is copied with its own tools; run pg_dump --schema={self.database.schema} on it"
        )

    def close(self) -> None:
        self._readers.close()
        self._slow_readers.close()

    @contextmanager
    def _reading(self) -> Iterator[Link]:
        with translated(self.database), self._readers.connection() as connection:
            yield Asking(connection)

    def _progress(self, connection: Connection, pipeline: str) -> Run | None:
        return read_progress(connection, pipeline)


@contextmanager
def _answerable(query: Query) -> Iterator[None]:
    """A value can be made up, such as one in a token, that the column it is for cannot hold."""
    try:
        yield
    except (psycopg.DataError, psycopg.errors.CannotCoerce):
        field = "after" if query.after is not None else None
        raise QueryError("a value of the query is none that its column can have; leave it out", field=field) from None
