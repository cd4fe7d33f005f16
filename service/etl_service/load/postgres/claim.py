"""A run's hold on its pipeline: from its record's first writing to its last."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

import psycopg

from etl_service.errors import EtlError
from etl_service.load import history, merge
from etl_service.load.errors import DatabaseFull, DatabaseUnavailable, MergeInterrupted
from etl_service.load.postgres.connection import Database, Link
from etl_service.load.postgres.dialect import ARRIVAL
from etl_service.load.postgres.errors import is_passing, translate, translated
from etl_service.load.postgres.hold import Hold
from etl_service.load.postgres.keys import key, staging_prefix
from etl_service.load.postgres.lease import Lease
from etl_service.load.postgres.partitions import add_partitions, staged_names
from etl_service.load.postgres.staging import PostgresStaging, drop_left
from etl_service.load.sql import quote
from etl_service.load.store import Loaded, Target
from etl_service.model import Batch, Run

#: How long a run waits for a server that is away, or for somebody who holds its table, in seconds.
PATIENCE = 60.0
_PAUSE = 0.5
#: How often it is asked whether a merge should stop.
_LOOK = 0.1

_T = TypeVar("_T")


class Holder(ABC):
    """What all who hold a run can do: work in transactions that count only while it is held."""

    def __init__(self, database: Database, hold: Hold) -> None:
        self._database = database
        self._hold = hold
        self._staging: Persistent | None = None
        self._raw: psycopg.Connection[Any] | None = None

    def publish(self, run: Run) -> None:
        self._hold.publish(run)

    def cancelled(self) -> bool:
        return self._hold.cancelled()

    def staging(self, target: Target, *, run_id: str, loaded_at: str) -> PostgresStaging:
        def make(link: Link) -> Persistent:
            return self._made(target, run_id, loaded_at)

        self._staging = self.patiently(make, make)
        return self._staging

    def merge(
        self,
        finish: Callable[[Loaded], Run],
        *,
        replayed: Sequence[int] = (),
        interrupt: Callable[[], bool],
    ) -> Run:
        def step(link: Link) -> Run:
            with _stoppable(link.raw, interrupt):
                return merge.merge_and_record(self._staged(link), finish, replayed)

        run = self.in_one_transaction(step, done=_ended(self._hold.run_id), interrupt=interrupt, ends=True)
        self._tidy(run)
        return run

    def end(self, run: Run) -> None:
        try:
            self._end(run)
        except DatabaseFull:
            # What was staged takes room on the same disk: without it, the record at least finds its place.
            self._discard_staging()
            self._end(run)
        self._tidy(run)

    def amend(self, run: Run) -> None:
        self.in_one_transaction(lambda link: history.save_run(link, run))

    def _end(self, run: Run) -> None:
        def step(link: Link) -> Run:
            for rejects in self._rejects(link, run):
                with suppress(psycopg.errors.UndefinedTable), link.raw.transaction():
                    history.keep_rejects(link, run, rejects)
            history.end_run(link, run)
            return run

        self.in_one_transaction(step, done=_ended(run.id), ends=True)

    def _rejects(self, link: Link, run: Run) -> Iterable[str]:
        """Where the run's rejects are staged."""
        if run.partitions is not None:
            return [f"{quote(name + '_rejects')} ORDER BY {ARRIVAL}" for name in staged_names(link, self._hold)]
        # Those that a replay took up are all still there.
        return [self._staging.rejects] if self._staging is not None and not self._staging.target.replay else []

    def in_one_transaction(
        self,
        step: Callable[[Link], _T],
        *,
        done: Callable[[Link], _T | None] = lambda link: None,
        interrupt: Callable[[], bool] = lambda: False,
        ends: bool = False,
    ) -> _T:
        """Do it whole or not at all, and only while the lease is held; again, where what was in the way passes.

        Where the connection is lost while it commits, nobody knows what became of that. A step that must not be done
        twice looks for what it has done with ``done``, once the transaction that was cut off is over for sure.

        Args:
            ends: the run ends with it.
        """

        def attempt(link: Link) -> _T:
            with link.raw.transaction():
                self._hold.verify(link)
                result = step(link)
                self._hold.hold(link)
                if ends:
                    self._hold.end(link)
            return result

        def again(link: Link) -> _T:
            with link.raw.transaction():
                self._hold.hold(link)  # which is to wait for the other transaction
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
            self._hold.check()
            try:
                return tried(self._connect())
            except (psycopg.Error, DatabaseUnavailable) as error:
                if interrupt():
                    raise MergeInterrupted("the merge was stopped before its end; nothing was changed") from None
                if isinstance(error, psycopg.errors.UndefinedTable):  # whoever takes over tidies up
                    self._hold.verify(self.link())
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
            self._hold.name(self.link())
        return Link(self._raw)

    def _discard_staging(self) -> None:
        if self._staging is not None:
            with suppress(psycopg.Error, EtlError):  # else the next holder does
                self._connect()
                self._staging.close()
            self._staging = None

    def _tidy(self, run: Run) -> None:
        """Remove what workers have left of a run that has ended."""
        if run.partitions is not None:
            with suppress(psycopg.Error, EtlError):  # else the next holder does
                link = self._connect()
                link.execute("DELETE FROM etl_partitions WHERE fence = ?", [self._hold.fence])
                drop_left(link, self._hold.staging)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Let go: of staging, and last of the run."""
        try:
            self._discard_staging()
            if self._raw is not None:
                self._raw.close()
        finally:
            self._hold.release()

    @abstractmethod
    def _made(self, target: Target, run_id: str, loaded_at: str) -> Persistent:
        """Staging of its own."""

    @abstractmethod
    def _staged(self, link: Link) -> PostgresStaging:
        """What is to be merged."""


class PostgresClaim(Holder):
    def __init__(self, database: Database, pipeline: str) -> None:
        """Take the lock.

        Raises:
            Busy: another run holds it.
        """
        self._lease = Lease(database, pipeline)
        super().__init__(database, self._lease)
        try:
            with translated(database):
                link = self._connect()
                link.execute("DELETE FROM etl_partitions WHERE pipeline = ?", [pipeline])
                drop_left(link, staging_prefix(key(database.schema, pipeline)))
        except BaseException:
            self._lease.release()
            raise

    def begin(self, run: Run, *, kept: float | None = None) -> None:
        def begin(link: Link) -> None:
            history.begin_run(link, run)
            self._lease.begin(link, run, kept)
            add_partitions(link, run, self._lease.fence)

        self.in_one_transaction(begin)

    def left_cancelled(self, run_id: str) -> bool:
        return self._lease.left_cancelled(run_id)

    def _made(self, target: Target, run_id: str, loaded_at: str) -> Persistent:
        return Persistent(self, self._lease.staging, target, run_id=run_id, loaded_at=loaded_at)

    def _staged(self, link: Link) -> PostgresStaging:
        if self._staging is None:
            raise ValueError("nothing was staged")
        return self._staging


class Persistent(PostgresStaging):
    """Staging that outlives its connection."""

    def __init__(
        self, holder: Holder, name: str, target: Target, *, run_id: str, loaded_at: str, first: int = 1
    ) -> None:
        self._holder = holder
        super().__init__(name, target, run_id=run_id, loaded_at=loaded_at, link=holder.link, first=first)

    def write(self, batch: Batch) -> None:
        write = super().write

        def again(link: Link) -> None:
            if not self.has(batch):
                write(batch)

        self._holder.patiently(lambda link: write(batch), again)


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
