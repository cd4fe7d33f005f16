"""What a store can do: keep a table, its history and its cursor, and let one run at a time change them.

Everything in a store is keyed by the pipeline (``namespace/name``), so that several can share a database.
A store is safe to use from several threads; a `Claim` belongs to the run that took it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, Self

from etl_service.model import Batch, Column, Counts, Run, Status, Value

Order = Literal["asc", "desc"]
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The table that a run loads, and how."""

    pipeline: str  #: ``namespace/name``, the table's owner
    table: str
    key: tuple[str, ...]
    mode: Literal["upsert", "append", "replace"]
    allow_empty: bool = False
    cursor_column: str | None = None  #: the column whose greatest value becomes the next cursor
    complete: bool = False  #: a run reads the whole source, so that what it leaves unchanged is as new as the run
    replay: bool = False  #: rows are as old as their records: a row loaded since then is left alone


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a merge did, or would do."""

    counts: Counts  #: all of them: rejects and what ``onError: skip`` left out are staged too
    schema_changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredReject:
    """A rejected record as the history keeps it."""

    id: int
    run_id: str
    url: str
    page: int
    index: int
    field: str | None
    reason: str
    message: str
    raw: str
    whole: bool  #: False where the raw record was too long to keep whole; such a one cannot be replayed
    fetched_at: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a pipeline loads, as it stands."""

    name: str
    pipeline: str
    columns: tuple[Column, ...]  #: the mapped ones, then loaded_at and run_id
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of a table that a reader asked for."""

    limit: int | None = 10  #: None reads all that match
    after: str | None = None  #: the token of the row before, from `Rows.next`
    sort: str | None = None  #: a column; None is the key's order, or the order of arrival
    order: Order = "asc"
    search: str | None = None  #: text found in any column, without regard to case
    filters: Mapping[str, str] = field(default_factory=dict)  #: column to the value it must have, as text


@dataclass(frozen=True, slots=True)
class Rows:
    columns: tuple[Column, ...]
    rows: Sequence[Row]  #: booleans are bool, json is its text
    next: str | None  #: the token for what follows, None at the end


@dataclass(frozen=True, slots=True)
class TableStats:
    rows: int
    nulls: Mapping[str, int]  #: column to its number of nulls
    fresh_at: str | None  #: the newest loaded_at
    bytes: int  #: of the whole database


class Staging(Protocol):
    """A run's rows and rejects, out of readers' sight until they are merged."""

    def write(self, batch: Batch) -> None: ...

    def compare(self) -> Loaded:
        """What a merge would do with what is staged; changes nothing."""
        ...


class Work(Protocol):
    """What a run, or a worker of it, needs of the store until it has ended."""

    def publish(self, run: Run) -> None:
        """Show progress to other processes; never waits for the database."""
        ...

    def cancelled(self) -> bool: ...

    def staging(self, target: Target, *, run_id: str, loaded_at: str) -> Staging: ...

    def merge(
        self,
        finish: Callable[[Loaded], Run],
        *,
        replayed: Sequence[int] = (),
        interrupt: Callable[[], bool],
    ) -> Run:
        """Merge what is staged, move the cursor, and write the record that ``finish`` makes of it, in one transaction.

        What ``finish`` raises rolls everything back. ``interrupt`` is asked often; True rolls back
        with `MergeInterrupted`. ``replayed`` are rejects that this run took up and that now go.
        """
        ...

    def end(self, run: Run) -> None:
        """Write the record of a run that loads nothing, and keep what it rejected."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Claim(Work, Protocol):
    """The pipeline's lock, held by one run from its record's first writing to its last."""

    def begin(self, run: Run, *, kept: float | None = None) -> None:
        """Record the run, or reopen its record, and let others see that it holds the lock.

        Args:
            kept: where workers take it from here, for how many seconds the pipeline stays the run's at most while
                none of them is there; this claim is then let go.
        """
        ...

    def left_cancelled(self, run_id: str) -> bool:
        """Whether a dead run, which this claim has found, had been asked to end."""
        ...

    def amend(self, run: Run) -> None:
        """Write an ended run's record over, with what has become known of it since."""
        ...


class Turns(Protocol):
    """Whose turn it is to ask the source, among all workers of a run."""

    def take(self, interval: float) -> float:
        """Reserve the next turn, so many seconds after the one before; gives the seconds until it comes."""
        ...

    def pause(self, seconds: float) -> None:
        """Let no turn come for so long."""
        ...


class Part(Work, Protocol):
    """A worker's part in a run that is divided: it holds the run together with the other workers.

    It stages its own partition. `merge` is of all that the run has staged, and `end` ends the whole run.
    """

    @property
    def turns(self) -> Turns: ...

    @property
    def done(self) -> bool:
        """Whether its partition is complete, perhaps by an earlier attempt: there is nothing to read any more."""
        ...

    @property
    def merges(self) -> bool:
        """Whether all partitions are complete, and it is for this worker alone to merge them."""
        ...

    def complete(self, run: Run) -> None:
        """Keep what it has staged for the merge; ``run`` is how that went. Sets ``done``, and perhaps ``merges``."""
        ...

    def set_aside(self, run: Run) -> None:
        """Its attempt ends, and the run goes on: another attempt begins anew. ``run`` says why."""
        ...

    def whole(self) -> Run:
        """The record of the run as it is now, over all partitions."""
        ...


class Store(Protocol):
    #: Whether a page by the key is read in less time than a change of threads takes.
    prompt: bool

    def prepare(self) -> None:
        """Make or migrate the engine's own tables; every other method expects that done.

        Raises:
            SchemaTooNew: a newer version of the engine has been here.
            DatabaseUnsuitable: a network file system.
            DatabaseUnavailable: it cannot be opened or written.
        """
        ...

    def claim(self, pipeline: str) -> Claim:
        """Take the pipeline's lock.

        Raises:
            Busy: another run holds it; ``run_id`` says which.
        """
        ...

    def join(self, run: Run, index: int, target: Target, loaded_at: str) -> Part:
        """Take up a partition of a run that is under way, from its beginning: an earlier attempt is cut off.

        Raises:
            LeaseLost: the run is not under way any more.
            NotDivisible: the store takes the rows of one process only.
        """
        ...

    # history
    def run(self, run_id: str) -> Run | None:
        """A record; while it runs, with the progress it last published."""
        ...

    def runs(
        self, pipeline: str, *, limit: int = 20, before: str | None = None, status: Status | None = None
    ) -> list[Run]:
        """Newest first; ``before`` is a run's id."""
        ...

    def requested(self, pipeline: str, request_id: str) -> Run | None: ...

    def running(self, pipeline: str) -> Run | None:
        """The run recorded as running, dead or alive."""
        ...

    def last(self, pipeline: str, status: Status | None = None) -> Run | None: ...

    def rejects(
        self, pipeline: str, *, run_id: str | None = None, limit: int | None = 100, after: int = 0
    ) -> list[StoredReject]: ...

    def cancel(self, run_id: str) -> bool:
        """Ask a running run to end; False where it is not running."""
        ...

    def let_go(self, run_id: str) -> None:
        """Keep the pipeline no longer for a run whose workers do not come any more."""
        ...

    def pipelines(self) -> list[str]:
        """Those that have runs here, by their full names."""
        ...

    def totals(self, pipeline: str) -> Mapping[tuple[str, str], float]:
        """Sums over all runs that ever ended, by (name, label); retention does not lower them."""
        ...

    # tables
    def preview(self, target: Target) -> AbstractContextManager[Staging]:
        """A staging area to compare from, that no run holds and nothing is merged from."""
        ...

    def cursor(self, target: Target) -> Value:
        """The greatest value of the target's cursor column over all runs that were merged; None before."""
        ...

    def table(self, name: str) -> Table | None: ...

    def rows(self, table: Table, query: Query) -> Rows: ...

    def stream(self, table: Table, query: Query) -> Generator[Row, None, None]:
        """All that match, in one consistent view, a row at a time."""
        ...

    def stats(self, table: Table) -> TableStats: ...

    def check(self) -> None:
        """Prove that the database answers; raises DatabaseUnavailable where not."""
        ...

    def backup(self, to: Path) -> None:
        """Write a consistent copy, also while a run is on.

        Raises:
            BackupUnsupported: the store has other tools for that.
        """
        ...

    def close(self) -> None: ...
