"""What any store of SQL answers; how it is connected, and how a run takes hold of it, is its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager

from etl_service.load import history, merge, reading
from etl_service.load.catalogue import catalogued
from etl_service.load.sql import Connection, Dialect
from etl_service.load.store import Query, Rows, StoredReject, Table, TableStats, Target
from etl_service.model import Run, Status, Value


class SqlStore(ABC):
    """The readers' side of a `Store`."""

    dialect: Dialect

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """A connection for reading; what it raises inside is translated."""

    @abstractmethod
    def _progress(self, connection: Connection, pipeline: str) -> Run | None:
        """What the pipeline's run has published last."""

    def run(self, run_id: str) -> Run | None:
        with self._reading() as connection:
            return self._live(connection, history.find_run(connection, run_id))

    def runs(
        self, pipeline: str, *, limit: int = 20, before: str | None = None, status: Status | None = None
    ) -> list[Run]:
        with self._reading() as connection:
            found = history.runs(connection, pipeline, limit=limit, before=before, status=status)
            return [self._live(connection, run) or run for run in found]

    def requested(self, pipeline: str, request_id: str) -> Run | None:
        with self._reading() as connection:
            return self._live(connection, history.find_request(connection, pipeline, request_id))

    def running(self, pipeline: str) -> Run | None:
        return self.last(pipeline, "running")

    def last(self, pipeline: str, status: Status | None = None) -> Run | None:
        return next(iter(self.runs(pipeline, limit=1, status=status)), None)

    def rejects(
        self, pipeline: str, *, run_id: str | None = None, limit: int | None = 100, after: int = 0
    ) -> list[StoredReject]:
        with self._reading() as connection:
            return history.rejects(connection, pipeline, run_id=run_id, limit=limit, after=after)

    def pipelines(self) -> list[str]:
        with self._reading() as connection:
            return history.pipelines(connection)

    def totals(self, pipeline: str) -> Mapping[tuple[str, str], float]:
        with self._reading() as connection:
            return history.totals(connection, pipeline)

    def cursor(self, target: Target) -> Value:
        with self._reading() as connection:
            return merge.cursor(connection, self.dialect, target)

    def table(self, name: str) -> Table | None:
        with self._reading() as connection:
            return catalogued(connection, self.dialect, name)

    def rows(self, table: Table, query: Query) -> Rows:
        with self._reading() as connection:
            return reading.rows(connection, self.dialect, table, query)

    def stats(self, table: Table) -> TableStats:
        with self._reading() as connection:
            return reading.stats(connection, self.dialect, table)

    def check(self) -> None:
        with self._reading() as connection:
            connection.execute("SELECT version FROM etl_version").fetchone()

    def _live(self, connection: Connection, run: Run | None) -> Run | None:
        """The record with the progress that its run last published."""
        if run is None or run.ended:
            return run
        progress = self._progress(connection, run.full_name)
        return progress if progress is not None and progress.id == run.id and not progress.ended else run
