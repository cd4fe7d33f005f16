"""The nouns that flow through a pipeline: chunks of records in, batches of rows on, counts and runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from etl_service.spec import ColumnType

#: A value on its way to the store, the same for every store: timestamps are ``2024-01-31T12:00:00.000000Z``,
#: dates ``2024-01-31``, json compact JSON text. All sort as text in the order of time.
Value = int | float | str | bool | None

Trigger = Literal["cli", "rest", "schedule", "request", "replay"]
Status = Literal["running", "succeeded", "failed", "interrupted", "cancelled"]
Phase = Literal["extract", "merge", "done"]


def timestamp(moment: datetime) -> str:
    """Write an aware moment as every table and record holds it: UTC, microseconds, fixed width."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table, as loaded."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive raw records of one page."""

    url: str  #: where the page was read, without secrets
    page: int  #: counted from 1 over the run
    index: int  #: the first record's index within its page, from 0
    records: bytes | memoryview  #: the text of one JSON array
    fetched_at: str | None = None  #: when a replayed record was first fetched; None means in this run


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that did not fit, kept as it came."""

    url: str
    page: int
    index: int  #: within its page, from 0
    field: str | None  #: the column at fault, where there is one
    reason: str  #: a stable word, such as NotAnInteger
    message: str
    raw: bytes
    fetched_at: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a chunk: fetched = len(rows) + len(rejects) + skipped."""

    columns: tuple[Column, ...]  #: of these rows; grows and widens from batch to batch where types are inferred
    rows: Sequence[tuple[Value, ...]]
    rejects: Sequence[Reject] = ()
    skipped: int = 0  #: records left out under ``onError: skip``
    fetched_at: str | None = None

    @property
    def fetched(self) -> int:
        return len(self.rows) + len(self.rejects) + self.skipped


@dataclass(slots=True)
class SourceStats:
    """What reading the source has cost so far."""

    pages: int = 0
    bytes: int = 0  #: of bodies, decompressed
    retries: int = 0
    requests: dict[str, int] = field(default_factory=dict)  #: by HTTP status, or "error" where none came
    total: int | None = None  #: the number of records that the source said it has


class Counts(BaseModel):
    """Every record is accounted for: fetched = inserted + updated + unchanged + rejected + skipped."""

    model_config = ConfigDict(extra="forbid")

    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    deleted: int = Field(default=0, description="Rows that a replace removed; not part of the sum.")

    @property
    def add_up(self) -> bool:
        return self.fetched == self.inserted + self.updated + self.unchanged + self.rejected + self.skipped


class Seconds(BaseModel):
    """Where a run's time went; the phases overlap, so they may add up to more than its duration."""

    extract: float = 0.0
    transform: float = 0.0
    load: float = 0.0


class Partition(BaseModel):
    """How far one part of a run that is divided among workers is."""

    index: int = Field(description="From 0, as the index of its pod.")
    name: str = Field(description="What sets it apart, such as `category=books`.")
    status: Literal["pending", "running", "succeeded", "failed", "interrupted"] = Field(
        default="pending", description="Of its last attempt; one that failed is tried again while the run is running."
    )
    attempt: int = Field(default=0, description="How often it was begun.")
    fetched: int = Field(default=0, description="Records, in this attempt.")
    pages: int = 0
    total: int | None = Field(default=None, description="The records that the source said are in it.")
    reason: str | None = Field(default=None, description="Why its last attempt that ended without success did.")
    message: str | None = None


class Run(BaseModel):
    """A run record: the same in REST, on the command line and in ``etl_runs``."""

    id: str
    pipeline: str = Field(description="The pipeline's name.")
    namespace: str = "default"
    trigger: Trigger
    request_id: str | None = None
    attempt: int = 1
    status: Status = "running"
    reason: str | None = None
    message: str | None = None
    started_at: str
    ended_at: str | None = None
    phase: Phase = "extract"
    counts: Counts = Field(default_factory=Counts)
    pages: int = 0
    bytes: int = 0
    retries: int = 0
    requests: dict[str, int] = Field(default_factory=dict, description="Requests to the source, by HTTP status.")
    seconds: Seconds = Field(default_factory=Seconds)
    schema_changes: list[str] = Field(default_factory=list)
    spec_hash: str = ""
    total: int | None = Field(default=None, description="The number of records that the source said it has.")
    partitions: list[Partition] | None = Field(
        default=None, description="Of a run that is divided among workers, each by its index; else null."
    )

    @property
    def full_name(self) -> str:
        """The pipeline's, by which everything in a store is keyed."""
        return f"{self.namespace}/{self.pipeline}"

    @property
    def ended(self) -> bool:
        return self.status != "running"
