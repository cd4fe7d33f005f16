"""What everybody who works on a run holds: a session that says he lives, and hears whether he is to go on."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any

import psycopg

from etl_service.errors import EtlError
from etl_service.load.errors import LeaseLost
from etl_service.load.postgres.connection import Database, Link
from etl_service.load.postgres.keys import key, staging_prefix
from etl_service.load.sql import Connection
from etl_service.model import Run

#: How often it is renewed, progress shown, and the wish to cancel heard.
BEAT = 0.5
#: How long nobody waits for a statement here: a lease that cannot be renewed is not to be waited for, either.
_PATIENCE = 3


class Hold(ABC):
    """Progress, and the wish to cancel, travel with it: outside any transaction of the run, so that neither waits."""

    fence: int  #: the number of the run's hold on its pipeline: whoever takes over changes it

    def __init__(self, database: Database, pipeline: str) -> None:
        self.pipeline = pipeline
        self.lost = False
        self._database = database
        self._key = key(database.schema, pipeline)
        self.run_id = ""
        self._progress: str | None = None
        self._shown: str | None = None
        self._cancelled = ""
        self._connection = self._connect()
        self._released = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)

    @property
    def staging(self) -> str:
        """A name for what the run stages: the next run's is another, and finds this one's by how it begins."""
        return f"{staging_prefix(self._key)}{self.fence:x}"

    def publish(self, run: Run) -> None:
        self._progress = run.model_dump_json()

    def _news(self) -> str | None:
        """Progress that has not been shown yet; whoever has shown it says so in ``_shown``."""
        return self._progress if self._progress != self._shown else None

    def cancelled(self) -> bool:
        return self._cancelled == self.run_id != ""

    def check(self) -> None:
        """Go no further once it is known to be lost.

        Raises:
            LeaseLost: another has it.
        """
        if self.lost:
            raise LeaseLost(self._told_of_loss())

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

    def end(self, link: Connection) -> None:
        """Nobody is to be told any more that the run is under way; inside the transaction that ends its record."""
        link.execute(
            "UPDATE etl_claims SET run_id = '', until = NULL WHERE pipeline = ? AND fence = ?",
            [self.pipeline, self.fence],
        )

    def release(self) -> None:
        """Let go."""
        self._released.set()
        self._heart.join()
        self._connection.close()

    @abstractmethod
    def _told_of_loss(self) -> str: ...

    @abstractmethod
    def _look(self, link: Connection, how: str) -> None: ...

    @abstractmethod
    def _renew(self, link: Link) -> None:
        """Say that he lives; sets ``lost`` where that does not help any more."""

    def _connect(self) -> psycopg.Connection[Any]:
        connection = self._database.connect(_PATIENCE)
        # A renewal that is lost with the server is of no worth, and is not waited for.
        connection.execute("SET synchronous_commit TO off")
        return connection

    def _beat(self) -> None:
        while not self._released.wait(BEAT) and not self.lost:
            try:
                if self._connection.closed:
                    self._connection = self._connect()
                self._renew(Link(self._connection))
            except psycopg.errors.QueryCanceled:  # the run's own commit takes its time
                continue
            except psycopg.Error:  # the server is away: the next beat may come through
                self._connection.close()
            except EtlError:
                continue
