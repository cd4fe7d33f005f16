"""A run's hold on its pipeline, for as long as the database hears of it.

Two things make it. An advisory lock belongs to a session of its own and goes with it, so that a process that is gone
is noticed within moments. A lease, in ``etl_claims``, runs out unless it is renewed, so that a holder that is cut off,
and whose session the server still believes in, does not hold for ever. Whoever takes over changes the *fence*; a holder
whose number it is not any more can commit nothing. So what counts is the fence: lock and lease only decide who has it.
It is drawn and not counted: a crash may forget the last number, and the next holder's must be another all the same.

A run whose workers come and go, as the pods of a Job, has the pipeline until its deadline: see `begin`.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from typing import Any

import psycopg

from etl_service.load.errors import Busy
from etl_service.load.postgres.connection import Database, Link
from etl_service.load.postgres.errors import translated
from etl_service.load.postgres.hold import Hold
from etl_service.load.postgres.keys import key
from etl_service.load.sql import Connection
from etl_service.model import Run

#: How long a holder may be silent before another may take over, in seconds.
LEASE = 10.0
#: How long one whose session has ended has to come back: from its last word on, or from the server's own start.
GRACE = 2.0
_PAUSE = 0.1


class Lease(Hold):
    def __init__(self, database: Database, pipeline: str) -> None:
        """Take the pipeline.

        Raises:
            Busy: a run holds it, and stays.
        """
        super().__init__(database, pipeline)
        self._left_cancelled = ""
        try:
            with translated(database):
                self.fence = self._take()
            self._locked = True
        except BaseException:
            self._connection.close()
            raise
        self._heart.start()

    def begin(self, link: Connection, run: Run, kept: float | None) -> None:
        """Let others see which run it is, and for how many seconds it is kept for workers that are still to come;
        inside the transaction that records it.
        """
        link.execute(
            "UPDATE etl_claims SET run_id = ?, cancel = NULL, progress = ?, until = now() + make_interval(secs => ?) "
            "WHERE pipeline = ? AND fence = ?",
            [run.id, run.model_dump_json(), kept, self.pipeline, self.fence],
        )
        self.run_id, self._cancelled = run.id, ""
        self._shown = self._progress = run.model_dump_json()

    def left_cancelled(self, run_id: str) -> bool:
        """Whether the run that had the pipeline before had been asked to end."""
        return self._left_cancelled == run_id

    def release(self) -> None:
        """Let go, at once where the database can be told; the run has the pipeline still where it is to stay so."""
        self._released.set()
        self._heart.join()
        with suppress(psycopg.Error):
            Link(self._connection).execute(
                "UPDATE etl_claims SET expires_at = 'epoch', run_id = '', backend = NULL, cancel = NULL, "
                "progress = NULL WHERE pipeline = ? AND fence = ? AND until IS NULL",
                [self.pipeline, self.fence],
            )
        super().release()

    def _told_of_loss(self) -> str:
        return (
            f"pipeline {self.pipeline} was taken over while this run could not reach the database; "
            "nothing of this one was loaded"
        )

    def _look(self, link: Connection, how: str) -> None:
        statement = f"SELECT 1 FROM etl_claims WHERE pipeline = ? AND fence = ?{how}"
        if link.execute(statement, [self.pipeline, self.fence]).fetchone() is None:
            self.lost = True
        self.check()

    def _take(self) -> int:
        link = Link(self._connection)
        until = time.monotonic() + LEASE
        while True:
            free = link.execute("SELECT pg_try_advisory_lock(?)", [self._key]).fetchone()[0]
            found = link.execute(
                "SELECT run_id, fence, backend, cancel, coalesce(until > now(), false), expires_at > now(), "
                "expires_at > 'epoch' AND now() < greatest("
                "expires_at - make_interval(secs => ?), pg_postmaster_start_time() + make_interval(secs => ?)) "
                "FROM etl_claims WHERE pipeline = ?",
                [LEASE - GRACE, GRACE, self.pipeline],
            ).fetchone()
            run_id, fence, backend, cancel, kept, leased, awaited = found or ("", 0, None, None, False, False, False)
            if free and not awaited and not kept:
                # One that is cut off in its merge may have the very row that is to be changed.
                link.execute(f"SELECT pg_terminate_backend(pid, 1000) FROM pg_locks WHERE {LOCKED}", [~self._key])
                if taken := self._change_fence(link, fence):
                    self._left_cancelled = cancel or ""
                    return taken
            if free:
                link.execute("SELECT pg_advisory_unlock(?)", [self._key])
            elif not leased:
                self._evict(link, backend)
            # Whoever has only just taken it, or lets go of it, has no name: that is over in a moment.
            if ((kept or (leased and not free)) and run_id) or time.monotonic() >= until:
                raise Busy(self.pipeline, run_id or "unknown")
            time.sleep(_PAUSE)

    def _change_fence(self, link: Link, seen: int) -> int | None:
        with link.raw.transaction():
            link.execute("SET LOCAL synchronous_commit TO on")
            found = link.execute(
                "INSERT INTO etl_claims (pipeline, fence, backend, run_id, expires_at) "
                "VALUES (?, ?, pg_backend_pid(), '', now() + make_interval(secs => ?)) "
                "ON CONFLICT (pipeline) DO UPDATE SET fence = excluded.fence, backend = excluded.backend, "
                "run_id = '', expires_at = excluded.expires_at, cancel = NULL, progress = NULL, until = NULL, "
                "turn = NULL WHERE etl_claims.fence = ? RETURNING fence",
                [self.pipeline, secrets.randbits(62), LEASE, seen],
            ).fetchone()
        return int(found[0]) if found else None

    def _evict(self, link: Connection, backend: int | None) -> None:
        """End the session of a holder that is cut off: the server may believe in it for hours."""
        link.execute(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid = ? AND {LOCKED}", [backend, self._key])

    def _renew(self, link: Link) -> None:
        if not self._locked:
            self._lock_again(link)
        news = self._news()
        found = link.execute(
            "UPDATE etl_claims SET expires_at = now() + make_interval(secs => ?), progress = coalesce(?, progress) "
            "WHERE pipeline = ? AND fence = ? RETURNING cancel",
            [LEASE, news, self.pipeline, self.fence],
        ).fetchone()
        if found is None:
            self.lost = True
        else:
            self._shown = news or self._shown
            self._cancelled = found[0] or ""

    def _connect(self) -> psycopg.Connection[Any]:
        self._locked = False
        return super()._connect()

    def _lock_again(self, link: Link) -> None:
        """With a new session: the old one has it until the server notices, and whoever looks in has it for a moment."""
        self._locked = link.execute("SELECT pg_try_advisory_lock(?)", [self._key]).fetchone()[0]
        if self._locked:
            link.execute(
                "UPDATE etl_claims SET backend = pg_backend_pid() WHERE pipeline = ? AND fence = ?",
                [self.pipeline, self.fence],
            )


#: Of a row of pg_locks: it is the advisory lock with the key that is bound.
LOCKED = (
    "locktype = 'advisory' AND objsubid = 1 AND granted AND (classid::bigint << 32) | objid::bigint = ? "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def holder(link: Connection, schema: str, pipeline: str) -> str | None:
    """The run that holds the pipeline for sure, told without a session of its own; None where that is to be seen."""
    found = link.execute(
        "SELECT run_id FROM etl_claims WHERE pipeline = ? AND run_id <> '' AND (until > now() OR expires_at > now() "
        f"AND EXISTS (SELECT 1 FROM pg_locks WHERE {LOCKED}))",
        [pipeline, key(schema, pipeline)],
    ).fetchone()
    return found[0] if found else None


def ask_to_cancel(link: Connection, run: Run) -> None:
    link.execute("UPDATE etl_claims SET cancel = ? WHERE pipeline = ? AND run_id = ?", [run.id, run.full_name, run.id])
    let_go(link, run.id)  # where no worker is there just now to hear it


def let_go(link: Connection, run_id: str) -> None:
    """Keep the pipeline for the run's workers no longer than those would need to be heard who are there."""
    link.execute(
        "UPDATE etl_claims SET until = now() + make_interval(secs => ?) "
        "WHERE run_id = ? AND until > now() + make_interval(secs => ?)",
        [LEASE, run_id, LEASE],
    )
