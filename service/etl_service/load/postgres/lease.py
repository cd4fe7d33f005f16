"""A run's hold on its pipeline, for as long as the database hears of it.

Two things make it. An advisory lock belongs to a session of its own and goes with it, so that a process that is gone
is noticed within moments. A lease, in ``etl_claims``, runs out unless it is renewed, so that a holder that is cut off,
and whose session the server still believes in, does not hold for ever. Whoever takes over changes the *fence*; a holder
whose number it is not any more can commit nothing. So what counts is the fence: lock and lease only decide who has it.
It is drawn and not counted: a crash may forget the last number, and the next holder's must be another all the same.

Progress, and the wish to cancel, travel with the lease: outside any transaction of the run, so that neither waits.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
from pydantic import ValidationError

from etl_service.errors import EtlError
from etl_service.load.errors import Busy, LeaseLost
from etl_service.load.postgres.connection import Database, Link
from etl_service.load.postgres.errors import translated
from etl_service.load.sql import Connection
from etl_service.model import Run

#: How long a holder may be silent before another may take over, in seconds.
LEASE = 10.0
#: How long one whose session has ended has to come back: from its last word on, or from the server's own start.
GRACE = 2.0
#: How often it is renewed, progress shown, and the wish to cancel heard.
BEAT = 0.5
#: How long nobody waits for a statement here: a lease that cannot be renewed is not to be waited for, either.
_PATIENCE = 3
_PAUSE = 0.1


class Lease:
    def __init__(self, database: Database, pipeline: str) -> None:
        """Take the pipeline.

        Raises:
            Busy: a run holds it, and stays.
        """
        self.pipeline = pipeline
        self.lost = False
        self._database = database
        self._key = key(database.schema, pipeline)
        self._run_id = ""
        self._progress: str | None = None
        self._cancelled = ""
        self._connection = self._connect()
        self._locked = True
        try:
            with translated(database):
                self.fence = self._take()
        except BaseException:
            self._connection.close()
            raise
        self._released = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._heart.start()

    @property
    def staging(self) -> str:
        """A name for what its holder stages: the next holder's is another, and finds this one's by how it begins."""
        return f"{staging_prefix(self._key)}{self.fence:x}"

    def begin(self, link: Connection, run: Run) -> None:
        """Let others see which run it is; inside the transaction that records it."""
        link.execute(
            "UPDATE etl_claims SET run_id = ?, cancel = NULL, progress = ? WHERE pipeline = ? AND fence = ?",
            [run.id, run.model_dump_json(), self.pipeline, self.fence],
        )
        self._run_id, self._progress, self._cancelled = run.id, run.model_dump_json(), ""

    def publish(self, run: Run) -> None:
        self._progress = run.model_dump_json()

    def cancelled(self) -> bool:
        return self._cancelled == self._run_id != ""

    def check(self) -> None:
        """Go no further once it is known to be lost.

        Raises:
            LeaseLost: another has it.
        """
        if self.lost:
            raise LeaseLost(
                f"pipeline {self.pipeline} was taken over while this run could not reach the database; "
                "nothing of this one was loaded"
            )

    def name(self, link: Connection) -> None:
        """Mark a session as its holder's: whoever takes over ends it, with the locks of the transaction in it."""
        link.execute("SELECT pg_advisory_lock_shared(?)", [~self._key])

    def verify(self, link: Connection) -> None:
        """Ask whether it is held; only `hold` makes sure that it stays so.

        Raises:
            LeaseLost: another has it.
        """
        self._look(link, "")

    def hold(self, link: Connection) -> None:
        """Make sure that it is held until the transaction ends: who wants it waits for that. The last thing in it.

        Raises:
            LeaseLost: another has it.
        """
        self._look(link, " FOR UPDATE")

    def _look(self, link: Connection, how: str) -> None:
        statement = f"SELECT 1 FROM etl_claims WHERE pipeline = ? AND fence = ?{how}"
        if link.execute(statement, [self.pipeline, self.fence]).fetchone() is None:
            self.lost = True
        self.check()

    def end(self, link: Connection) -> None:
        """Nobody is to be told any more that the run is under way; inside the transaction that ends its record."""
        link.execute("UPDATE etl_claims SET run_id = '' WHERE pipeline = ? AND fence = ?", [self.pipeline, self.fence])

    def release(self) -> None:
        """Let go, at once where the database can be told."""
        self._released.set()
        self._heart.join()
        with suppress(psycopg.Error):
            Link(self._connection).execute(
                "UPDATE etl_claims SET expires_at = 'epoch', run_id = '', backend = NULL, cancel = NULL, "
                "progress = NULL WHERE pipeline = ? AND fence = ?",
                [self.pipeline, self.fence],
            )
        self._connection.close()

    def _connect(self) -> psycopg.Connection[Any]:
        connection = self._database.connect(_PATIENCE)
        # A renewal that is lost with the server is of no worth, and is not waited for.
        connection.execute("SET synchronous_commit TO off")
        return connection

    def _take(self) -> int:
        link = Link(self._connection)
        until = time.monotonic() + LEASE
        while True:
            free = link.execute("SELECT pg_try_advisory_lock(?)", [self._key]).fetchone()[0]
            found = link.execute(
                "SELECT run_id, fence, backend, expires_at > now(), expires_at > 'epoch' AND now() < greatest("
                "expires_at - make_interval(secs => ?), pg_postmaster_start_time() + make_interval(secs => ?)) "
                "FROM etl_claims WHERE pipeline = ?",
                [LEASE - GRACE, GRACE, self.pipeline],
            ).fetchone()
            run_id, fence, backend, leased, awaited = found or ("", 0, None, False, False)
            if free and not awaited:
                # One that is cut off in its merge may have the very row that is to be changed.
                link.execute(f"SELECT pg_terminate_backend(pid, 1000) FROM pg_locks WHERE {_LOCKED}", [~self._key])
                if taken := self._change_fence(link, fence):
                    return taken
            if free:
                link.execute("SELECT pg_advisory_unlock(?)", [self._key])
            elif not leased:
                self._evict(link, backend)
            # Whoever has only just taken it, or lets go of it, has no name: that is over in a moment.
            if (leased and not free and run_id) or time.monotonic() >= until:
                raise Busy(self.pipeline, run_id or "unknown")
            time.sleep(_PAUSE)

    def _change_fence(self, link: Link, seen: int) -> int | None:
        with link.raw.transaction():
            link.execute("SET LOCAL synchronous_commit TO on")
            found = link.execute(
                "INSERT INTO etl_claims (pipeline, fence, backend, run_id, expires_at) "
                "VALUES (?, ?, pg_backend_pid(), '', now() + make_interval(secs => ?)) "
                "ON CONFLICT (pipeline) DO UPDATE SET fence = excluded.fence, backend = excluded.backend, "
                "run_id = '', expires_at = excluded.expires_at, cancel = NULL, progress = NULL "
                "WHERE etl_claims.fence = ? RETURNING fence",
                [self.pipeline, secrets.randbits(62), LEASE, seen],
            ).fetchone()
        return int(found[0]) if found else None

    def _evict(self, link: Connection, backend: int | None) -> None:
        """End the session of a holder that is cut off: the server may believe in it for hours."""
        link.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid = ? AND {_LOCKED}", [backend, self._key]
        )

    def _beat(self) -> None:
        while not self._released.wait(BEAT) and not self.lost:
            try:
                if self._connection.closed:
                    self._connection, self._locked = self._connect(), False
                if not self._locked:
                    self._lock_again()
                self._renew()
            except psycopg.errors.QueryCanceled:  # the run's own commit takes its time
                continue
            except psycopg.Error:  # the server is away: the next beat may come through
                self._connection.close()
            except EtlError:
                continue

    def _renew(self) -> None:
        found = (
            Link(self._connection)
            .execute(
                "UPDATE etl_claims SET expires_at = now() + make_interval(secs => ?), progress = ? "
                "WHERE pipeline = ? AND fence = ? RETURNING cancel",
                [LEASE, self._progress, self.pipeline, self.fence],
            )
            .fetchone()
        )
        if found is None:
            self.lost = True
        else:
            self._cancelled = found[0] or ""

    def _lock_again(self) -> None:
        """With a new session: the old one has it until the server notices, and whoever looks in has it for a moment."""
        link = Link(self._connection)
        self._locked = link.execute("SELECT pg_try_advisory_lock(?)", [self._key]).fetchone()[0]
        if self._locked:
            link.execute(
                "UPDATE etl_claims SET backend = pg_backend_pid() WHERE pipeline = ? AND fence = ?",
                [self.pipeline, self.fence],
            )


#: Of a row of pg_locks: it is the advisory lock with the key that is bound.
_LOCKED = (
    "locktype = 'advisory' AND objsubid = 1 AND granted AND (classid::bigint << 32) | objid::bigint = ? "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def holder(link: Connection, schema: str, pipeline: str) -> str | None:
    """The run that holds the pipeline for sure, told without a session of its own; None where that is to be seen."""
    found = link.execute(
        "SELECT run_id FROM etl_claims WHERE pipeline = ? AND run_id <> '' AND expires_at > now() "
        f"AND EXISTS (SELECT 1 FROM pg_locks WHERE {_LOCKED})",
        [pipeline, key(schema, pipeline)],
    ).fetchone()
    return found[0] if found else None


def key(schema: str, pipeline: str) -> int:
    """The advisory lock of a pipeline: 63 bits, since what else uses such locks in the database has small numbers."""
    digest = hashlib.sha256(f"etlpipeline {schema} {pipeline}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def staging_prefix(key: int) -> str:
    return f"etl_stage_{key:x}_"


def read_progress(link: Connection, pipeline: str) -> Run | None:
    found = link.execute("SELECT progress FROM etl_claims WHERE pipeline = ?", [pipeline]).fetchone()
    try:
        return Run.model_validate_json(found[0]) if found and found[0] else None
    except ValidationError:  # of another version of the engine
        return None


def ask_to_cancel(link: Connection, run: Run) -> None:
    link.execute("UPDATE etl_claims SET cancel = ? WHERE pipeline = ? AND run_id = ?", [run.id, run.full_name, run.id])
