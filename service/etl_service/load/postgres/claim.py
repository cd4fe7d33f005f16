"""A run's hold on its pipeline: from its record's first writing to its last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

import psycopg

from etl_service.errors import EtlError
from etl_service.load import history, merge
from etl_service.load.errors import DatabaseFull, DatabaseUnavailable, MergeInterrupted
from etl_service.load.postgres.connection import Database, Link
from etl_service.load.postgres.errors import is_passing, translate, translated
from etl_service.load.postgres.lease import Lease, key, staging_prefix
from etl_service.load.postgres.staging import PostgresStaging, drop_left
from etl_service.load.store import Loaded, Target
from etl_service.model import Batch, Run

#: How long a run waits for a server that is away, or for somebody who holds its table, in seconds.
PATIENCE = 60.0
_PAUSE = 0.5
#: How often it is asked whether a merge should stop.
_LOOK = 0.1

_T = TypeVar("_T")


class PostgresClaim:
    def __init__(self, database: Database, pipeline: str) -> None:
        """Take the lock.

        Raises:
            Busy: another run holds it.
        """
        self._database = database
        self._staging: _Persistent | None = None
        self._raw: psycopg.Connection[Any] | None = None
        self._lease = Lease(database, pipeline)
        try:
            with translated(database):
                drop_left(self._connect(), staging_prefix(key(database.schema, pipeline)))
        except BaseException:
            self._lease.release()
            raise

    def begin(self, run: Run) -> None:
        def begin(link: Link) -> None:
            history.begin_run(link, run)
            self._lease.begin(link, run)

        self.in_one_transaction(begin)

    def publish(self, run: Run) -> None:
        self._lease.publish(run)

    def cancelled(self) -> bool:
        return self._lease.cancelled()

    def staging(self, target: Target, *, run_id: str, loaded_at: str) -> PostgresStaging:
        def make(link: Link) -> _Persistent:
            return _Persistent(self, self._lease.staging, target, run_id, loaded_at)

        self._staging = self.patiently(make, make)
        return self._staging

    def merge(
        self,
        finish: Callable[[Loaded], Run],
        *,
        replayed: Sequence[int] = (),
        interrupt: Callable[[], bool],
    ) -> Run:
        staging = self._staging
        if staging is None:
            raise ValueError("nothing was staged")

        def step(link: Link) -> Run:
            with _stoppable(link.raw, interrupt):
                run = merge.merge_and_record(staging, finish, replayed)
                self._lease.end(link)
            return run

        return self.in_one_transaction(step, done=_ended(staging.run_id), interrupt=interrupt)

    def end(self, run: Run) -> None:
        try:
            self._end(run)
        except DatabaseFull:
            # What was staged takes room on the same disk: without it, the record at least finds its place.
            self._discard_staging()
            self._end(run)

    def amend(self, run: Run) -> None:
        self.in_one_transaction(lambda link: history.save_run(link, run))

    def _end(self, run: Run) -> None:
        def step(link: Link) -> Run:
            # The rejects that a replay took up are all still there.
            if self._staging is not None and not self._staging.target.replay:
                with suppress(psycopg.errors.UndefinedTable), link.raw.transaction():
                    history.keep_rejects(link, run, self._staging.rejects)
            history.end_run(link, run)
            self._lease.end(link)
            return run

        self.in_one_transaction(step, done=_ended(run.id))

    def in_one_transaction(
        self,
        step: Callable[[Link], _T],
        *,
        done: Callable[[Link], _T | None] = lambda link: None,
        interrupt: Callable[[], bool] = lambda: False,
    ) -> _T:
        """Do it whole or not at all, and only while the lease is held; again, where what was in the way passes.

        Where the connection is lost while it commits, nobody knows what became of that. A step that must not be done
        twice looks for what it has done with ``done``, once the transaction that was cut off is over for sure.
        """

        def attempt(link: Link) -> _T:
            with link.raw.transaction():
                self._lease.verify(link)
                result = step(link)
                self._lease.hold(link)
            return result

        def again(link: Link) -> _T:
            with link.raw.transaction():
                self._lease.hold(link)  # which is to wait for the other transaction
                found = done(link)
            return attempt(link) if found is None else found

        return self.patiently(attempt, again, interrupt)

    def patiently(
        self,
        attempt: Callable[[Link], _T],
        again: Callable[[Link], _T],
        interrupt: Callable[[], bool] = lambda: False,
    ) -> _T:
        """Try, and try again for as long as it may help; each time with a connection that is there."""
        until, tried = time.monotonic() + PATIENCE, attempt
        while True:
            self._lease.check()
            try:
                return tried(self._connect())
            except (psycopg.Error, DatabaseUnavailable) as error:
                if interrupt():
                    raise MergeInterrupted("the merge was stopped before its end; nothing was changed") from None
                if isinstance(error, psycopg.errors.UndefinedTable):  # whoever takes over tidies up
                    self._lease.verify(self.link())
                if not is_passing(error) or time.monotonic() >= until:
                    raise translate(self._database, error) from None
            time.sleep(_PAUSE)
            tried = again

    def link(self) -> Link:
        """The connection as it is: what has begun on it is not gone on with on another."""
        assert self._raw is not None
        return Link(self._raw)

    def _connect(self) -> Link:
        """The connection, anew where it was lost."""
        if self._raw is None or self._raw.closed:
            self._raw = self._database.connect()
            self._lease.name(self.link())
        return Link(self._raw)

    def _discard_staging(self) -> None:
        if self._staging is not None:
            with suppress(psycopg.Error, EtlError):  # else the next holder does
                self._connect()
                self._staging.close()
            self._staging = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go: of staging, and last of the lock."""
        try:
            self._discard_staging()
            if self._raw is not None:
                self._raw.close()
        finally:
            self._lease.release()


class _Persistent(PostgresStaging):
    """Staging that outlives its connection."""

    def __init__(self, claim: PostgresClaim, name: str, target: Target, run_id: str, loaded_at: str) -> None:
        self._claim = claim
        super().__init__(name, target, run_id=run_id, loaded_at=loaded_at, link=claim.link)

    def write(self, batch: Batch) -> None:
        write = super().write

        def again(link: Link) -> None:
            if not self.has(batch):
                write(batch)

        self._claim.patiently(lambda link: write(batch), again)


def _ended(run_id: str) -> Callable[[Link], Run | None]:
    """Finds the run's record, where it has been ended."""

    def find(link: Link) -> Run | None:
        run = history.find_run(link, run_id)
        return run if run and run.ended else None

    return find


@contextmanager
def _stoppable(connection: psycopg.Connection[Any], interrupt: Callable[[], bool]) -> Iterator[None]:
    """Cancel what the connection is at once ``interrupt`` says so; what is outside, as the commit, cannot be stopped.

    Raises:
        MergeInterrupted: it was.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK):
            if interrupt():
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)

    watcher = threading.Thread(target=watch, name="stop", daemon=True)
    watcher.start()
    try:
        yield
    except psycopg.errors.QueryCanceled:
        if not interrupt():
            raise
    finally:
        over.set()
        watcher.join()
    if interrupt():
        raise MergeInterrupted("the merge was stopped before its end; nothing was changed")
