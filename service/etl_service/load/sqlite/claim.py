"""A run's hold on its pipeline: from its record's first writing to its last."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from etl_service.load import history, merge
from etl_service.load.errors import DatabaseUnavailable, MergeInterrupted
from etl_service.load.sqlite.connection import WRITER_PATIENCE, connect, translated
from etl_service.load.sqlite.lock import Beside
from etl_service.load.sqlite.staging import SqliteStaging
from etl_service.load.store import Loaded, Target
from etl_service.model import Run

#: How many instructions of SQLite's machine pass between two looks at whether a merge should stop: under a millisecond.
_INSTRUCTIONS_BETWEEN_LOOKS = 20_000


class SqliteClaim:
    def __init__(self, path: Path, beside: Beside) -> None:
        """Take the lock.

        Raises:
            Busy: another run holds it.
        """
        self._path = path
        self._beside = beside
        self._staging: SqliteStaging | None = None
        with translated(path):
            self._lock = beside.lock()
        try:
            with translated(path):
                beside.staging.unlink(missing_ok=True)
            self._connection = connect(path)
        except BaseException:
            self._lock.release()
            raise

    def begin(self, run: Run, *, kept: float | None = None) -> None:
        with translated(self._path):
            self._beside.tidy()  # an earlier attempt may have been cancelled, under the same id
        with self._transaction():
            history.begin_run(self._connection, run)
        with translated(self._path):
            self._lock.name(run.id)
        self._run_id = run.id
        self.publish(run)

    def left_cancelled(self, run_id: str) -> bool:
        return False  # the wish went with whoever was to hear it

    def publish(self, run: Run) -> None:
        # Progress that a full disk does not take is no reason to end a run.
        with suppress(OSError):
            self._beside.publish(run)

    def cancelled(self) -> bool:
        return self._beside.cancelled(self._run_id)

    def staging(self, target: Target, *, run_id: str, loaded_at: str) -> SqliteStaging:
        self._staging = SqliteStaging(
            self._connection, self._beside.staging, target, run_id=run_id, loaded_at=loaded_at
        )
        return self._staging

    def merge(
        self,
        finish: Callable[[Loaded], Run],
        *,
        replayed: Sequence[int] = (),
        interrupt: Callable[[], bool],
    ) -> Run:
        if self._staging is None:
            raise ValueError("nothing was staged")
        self._connection.set_progress_handler(interrupt, _INSTRUCTIONS_BETWEEN_LOOKS)
        try:
            with self._transaction(interrupt):
                run = merge.merge_and_record(self._staging, finish, replayed)
                # Committing is one instruction that cannot be taken back: nothing stops it half-way.
                self._connection.set_progress_handler(None, 0)
            self._lock.name("")  # it has ended: from here on, nobody is to be told that it is under way
        finally:
            self._connection.set_progress_handler(None, 0)
        return run

    def end(self, run: Run) -> None:
        try:
            self._end(run)
        except DatabaseUnavailable:
            # What was staged takes room on the same disk: without it, the record at least finds its place.
            if self._staging is None:
                raise
            self._discard_staging()
            self._end(run)

    def amend(self, run: Run) -> None:
        with self._transaction():
            history.save_run(self._connection, run)

    def _end(self, run: Run) -> None:
        with self._transaction():
            # The rejects that a replay took up are all still there.
            if self._staging is not None and not self._staging.target.replay:
                history.keep_rejects(self._connection, run, self._staging.rejects)
            history.end_run(self._connection, run)
        self._lock.name("")

    @contextmanager
    def _transaction(self, interrupt: Callable[[], bool] = lambda: False) -> Iterator[None]:
        with translated(self._path):
            self._begin(interrupt)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk makes SQLite roll back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _begin(self, interrupt: Callable[[], bool]) -> None:
        """Wait for another pipeline's merge into the same file, a second at a time, for it may be a long one."""
        for patience in reversed(range(WRITER_PATIENCE)):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not patience:
                    raise
                if interrupt():
                    raise MergeInterrupted(
                        "the run was stopped while it waited for another pipeline's merge"
                    ) from error
            else:
                return

    def _discard_staging(self) -> None:
        if self._staging is not None:
            with suppress(sqlite3.Error):
                self._staging.close()
            self._staging = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go: of staging, of what lies beside the database, and last of the lock."""
        with ExitStack() as last:
            last.callback(self._lock.release)
            last.callback(self._connection.close)
            with suppress(OSError):
                self._lock.name("")
            self._discard_staging()
            with suppress(OSError):
                self._beside.tidy()
