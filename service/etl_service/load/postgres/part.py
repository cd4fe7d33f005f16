"""A worker's part in a run that is divided among several.

All workers share the fence of the run, and so does what they stage: a table for each attempt at a partition, which only
that attempt writes to. What an attempt has staged counts once it is complete, and only while it is the partition's
last attempt: both are decided in one transaction. Completions come one after the other, since each makes sure of the
fence; the one after which none is missing merges.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from etl_service.load.errors import LeaseLost
from etl_service.load.postgres.claim import PATIENCE, Holder, Persistent
from etl_service.load.postgres.connection import Database, Link
from etl_service.load.postgres.errors import is_passing, translate, translated
from etl_service.load.postgres.hold import BEAT, Hold
from etl_service.load.postgres.lease import LOCKED
from etl_service.load.postgres.partitions import read_progress, staged_name
from etl_service.load.postgres.staging import Gathered, PostgresStaging, Staged, drop_left
from etl_service.load.sql import Connection
from etl_service.load.store import Target
from etl_service.model import Run

#: How many rows a partition can number: one partition's come before the next one's, whoever is quicker.
_ROOM = 2**40


class Membership(Hold):
    """A worker's share in a run's hold on its pipeline, for as long as its attempt is the partition's last."""

    def __init__(self, database: Database, run: Run, index: int) -> None:
        """Begin another attempt at a partition.

        Raises:
            LeaseLost: the run is not under way any more.
        """
        super().__init__(database, run.full_name)
        self.run_id = run.id
        self.index = index
        try:
            with translated(database):
                self.attempt, status, self.merges = self._join(Link(self._connection))
        except BaseException:
            self._connection.close()
            raise
        self.done = status == "succeeded"
        self._heart.start()

    def _join(self, link: Link) -> tuple[int, str, bool]:
        until = time.monotonic() + PATIENCE
        while True:
            # An attempt that is cut off in its merge has the row that is to be changed.
            link.execute(f"SELECT pg_terminate_backend(pid, 1000) FROM pg_locks WHERE {LOCKED}", [self._own_key])
            try:
                return self._begin(link)
            except psycopg.errors.QueryCanceled:
                if time.monotonic() >= until:
                    raise

    def _begin(self, link: Link) -> tuple[int, str, bool]:
        with link.raw.transaction():
            link.execute("SET LOCAL synchronous_commit TO on")
            found = link.execute(
                "UPDATE etl_partitions AS p SET attempt = attempt + 1, "
                "status = CASE WHEN staged IS NULL THEN 'running' ELSE 'succeeded' END "
                "FROM etl_claims AS c WHERE c.pipeline = ? AND c.run_id = ? AND p.fence = c.fence AND p.idx = ? "
                "RETURNING p.attempt, p.status, p.merges, p.fence",
                [self.pipeline, self.run_id, self.index],
            ).fetchone()
        if found is None:
            raise LeaseLost(self._told_of_loss())
        attempt, status, merges, self.fence = found
        return attempt, status, merges

    @property
    def _own_key(self) -> int:
        """Of an advisory lock that the sessions of this partition's attempts share."""
        return ~(self._key ^ (self.index + 1 << 40))

    def name(self, link: Connection) -> None:
        super().name(link)
        link.execute("SELECT pg_advisory_lock_shared(?)", [self._own_key])

    def _told_of_loss(self) -> str:
        return (
            f"run {self.run_id} has ended, or another worker has taken up its partition {self.index}; "
            "nothing of this one was loaded"
        )

    def _look(self, link: Connection, how: str) -> None:
        # The partition's row first, as whoever completes or takes it up does.
        for statement, values in (
            ("etl_partitions WHERE fence = ? AND idx = ? AND attempt = ?", [self.fence, self.index, self.attempt]),
            ("etl_claims WHERE pipeline = ? AND fence = ? AND run_id = ?", [self.pipeline, self.fence, self.run_id]),
        ):
            if link.execute(f"SELECT 1 FROM {statement}{how}", values).fetchone() is None:
                self.lost = True
        self.check()

    def _renew(self, link: Link) -> None:
        # Only looks, as long as there is nothing to tell: a merge has the partition's row locked, and can be cancelled.
        found = link.execute(
            "SELECT c.cancel FROM etl_claims AS c JOIN etl_partitions AS p ON p.fence = c.fence "
            "WHERE c.pipeline = ? AND c.fence = ? AND c.run_id = ? AND p.idx = ? AND p.attempt = ?",
            [self.pipeline, self.fence, self.run_id, self.index, self.attempt],
        ).fetchone()
        if found is None:
            self.lost = True
            return
        self._cancelled = found[0] or ""
        if (news := self._news()) and not self.done:
            link.execute(
                "UPDATE etl_partitions SET record = ? "
                "WHERE fence = ? AND idx = ? AND attempt = ? AND status = 'running'",
                [news, self.fence, self.index, self.attempt],
            )
            self._shown = news

    def take(self, interval: float) -> float:
        """Reserve the run's next request; gives the seconds until it may begin."""
        return self._of_turns(
            "UPDATE etl_claims SET turn = greatest(turn, clock_timestamp()) + make_interval(secs => ?) "
            "WHERE pipeline = ? AND fence = ? "
            "RETURNING extract(epoch FROM turn - clock_timestamp() - make_interval(secs => ?))::float8",
            [interval, self.pipeline, self.fence, interval],
        )

    def pause(self, seconds: float) -> None:
        """Let no request of the run begin for so long."""
        self._of_turns(
            "UPDATE etl_claims SET turn = greatest(turn, clock_timestamp() + make_interval(secs => ?)) "
            "WHERE pipeline = ? AND fence = ? RETURNING 0",
            [seconds, self.pipeline, self.fence],
        )

    def _of_turns(self, statement: str, values: Sequence[Any]) -> float:
        """Ask in the session that lives for it to be renewed."""
        until = time.monotonic() + PATIENCE
        while True:
            self.check()
            try:
                (seconds,) = Link(self._connection).execute(statement, values).fetchone() or (0,)
                return max(0.0, float(seconds))
            except psycopg.Error as error:
                if not is_passing(error) or time.monotonic() >= until:
                    raise translate(self._database, error) from None
            time.sleep(BEAT)  # until the next beat has connected again


class PostgresPart(Holder):
    def __init__(self, database: Database, run: Run, index: int, target: Target, loaded_at: str) -> None:
        """Take up a partition.

        Raises:
            LeaseLost: the run is not under way any more.
        """
        self.turns = self._member = Membership(database, run, index)
        super().__init__(database, self._member)
        self._target = target
        self._loaded_at = loaded_at
        try:
            if not self.done:
                with translated(database):
                    drop_left(self._connect(), staged_name(self._member, index, ""))
        except BaseException:
            self._member.release()
            raise

    @property
    def done(self) -> bool:
        return self._member.done

    @property
    def merges(self) -> bool:
        return self._member.merges

    def complete(self, run: Run) -> None:
        assert self._staging is not None
        member, staged = self._member, Staged.of(self._staging).to_json()

        def step(link: Link) -> bool:
            link.execute(
                "UPDATE etl_partitions SET status = 'succeeded', staged = ?, record = ? "
                "WHERE fence = ? AND idx = ? AND attempt = ?",
                [staged, run.model_dump_json(), member.fence, member.index, member.attempt],
            )
            member.hold(link)  # from here on, this is the only one that completes
            link.execute(
                "UPDATE etl_partitions SET merges = true WHERE fence = ? AND idx = ? AND NOT EXISTS "
                "(SELECT 1 FROM etl_partitions WHERE fence = ? AND status <> 'succeeded')",
                [member.fence, member.index, member.fence],
            )
            return bool(self._completed(link))

        member.merges = self.in_one_transaction(step, done=self._completed)
        member.done = True
        self._staging = None

    def _completed(self, link: Link) -> bool | None:
        """Whether it is the one that merges; None where it is not complete."""
        member = self._member
        found = link.execute(
            "SELECT merges FROM etl_partitions WHERE fence = ? AND idx = ? AND attempt = ? AND staged IS NOT NULL",
            [member.fence, member.index, member.attempt],
        ).fetchone()
        return found[0] if found else None

    def set_aside(self, run: Run) -> None:
        member = self._member
        # What is staged stays so: whoever was to merge has only that to do again.
        self.in_one_transaction(
            lambda link: link.execute(
                "UPDATE etl_partitions SET status = ?, record = CASE WHEN staged IS NULL THEN ? ELSE record END "
                "WHERE fence = ? AND idx = ? AND attempt = ? AND (staged IS NULL OR merges)",
                [run.status, run.model_dump_json(), member.fence, member.index, member.attempt],
            )
        )

    def whole(self) -> Run:
        def read(link: Link) -> Run:
            self._member.verify(link)
            run = read_progress(link, self._member.pipeline)
            assert run is not None
            return run

        return self.patiently(read, read)

    def _made(self, target: Target, run_id: str, loaded_at: str) -> Persistent:
        member = self._member
        name, first = staged_name(member, member.index, member.attempt), member.index * _ROOM + 1
        return Persistent(self, name, target, run_id=run_id, loaded_at=loaded_at, first=first)

    def _staged(self, link: Link) -> PostgresStaging:
        member = self._member
        link.execute(
            "SELECT 1 FROM etl_partitions WHERE fence = ? AND idx = ? FOR UPDATE", [member.fence, member.index]
        )
        found = link.execute("SELECT staged FROM etl_partitions WHERE fence = ? ORDER BY idx", [member.fence])
        parts = [Staged.from_json(text) for (text,) in found.fetchall()]
        return Gathered(
            member.staging, parts, self._target, run_id=member.run_id, loaded_at=self._loaded_at, link=self.link
        )
