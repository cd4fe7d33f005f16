"""What a run would do: the same code, with the load left out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from pydantic import BaseModel, Field

from etl_service import jsontext
from etl_service.load.store import Staging, Store
from etl_service.model import Batch, Chunk, Column, Counts, Reject, Value, timestamp
from etl_service.runs.beginning import target_of, transformer_of
from etl_service.runs.world import World
from etl_service.spec import EtlPipeline, Extract, Share, shares
from etl_service.transform import Transformer

#: Rejected records that a preview shows; `would` counts all.
_SHOWN_REJECTS = 100


class Rejected(BaseModel):
    page: int
    index: int = Field(description="Within its page, from 0.")
    field: str | None
    reason: str
    message: str
    record: Any


class Preview(BaseModel):
    before: list[Any] = Field(description="The first records as the source sent them.")
    after: list[dict[str, Any] | None] = Field(
        description="The row that each becomes; null where it is rejected or skipped."
    )
    rejected: list[Rejected]
    columns: dict[str, str] = Field(description="The columns of the rows, with their types.")
    would: Counts = Field(description="What a run would do with the records read.")
    schema_changes: list[str]


async def preview(pipeline: EtlPipeline, store: Store, *, world: World, n: int = 3, full: bool = False) -> Preview:
    """Read the first ``n`` records from the live source, or all of them, and load none.

    Raises:
        EtlError: what would fail the run.
    """
    target = target_of(pipeline)
    transformer = transformer_of(pipeline, store, target)
    cursor = store.cursor(target) if target.cursor_column else None
    loaded_at = timestamp(world.clock())
    with store.preview(target) as staging:
        shown = _Shown(transformer, staging, n, loaded_at)
        for share in _shares(pipeline.spec.extract):
            async with (
                world.open(pipeline.spec.extract, cursor, share) as source,
                aclosing(source.chunks()) as chunks,
            ):
                async for chunk in chunks:
                    shown.take(chunk, rest=full)
                    if not full and shown.full:
                        break
            if not full and shown.full:
                break
        loaded = staging.compare()
    return Preview(
        before=shown.before,
        after=shown.after,
        rejected=[_rejected(reject) for reject in shown.rejects],
        columns={column.name: column.type for column in transformer.columns},
        would=loaded.counts,
        schema_changes=list(loaded.schema_changes),
    )


def _shares(extract: Extract) -> Sequence[Share | None]:
    """What is read, in turn: pages that many would read are read by one."""
    return [share for share in shares(extract) if share.params] or [None]


class _Shown:
    """The first records one by one, the rest in whole chunks, all on their way to staging."""

    def __init__(self, transformer: Transformer, staging: Staging, n: int, loaded_at: str) -> None:
        self.before: list[Any] = []
        self.after: list[dict[str, Any] | None] = []
        self.rejects: list[Reject] = []
        self._transformer = transformer
        self._staging = staging
        self._n = n
        self._loaded_at = loaded_at

    @property
    def full(self) -> bool:
        return len(self.before) >= self._n

    def take(self, chunk: Chunk, *, rest: bool) -> None:
        if self.full:
            self._stage(chunk)
            return
        records = jsontext.split(chunk.records)
        wanted = self._n - len(self.before)
        for offset, record in enumerate(records[:wanted]):
            batch = self._stage(_part(chunk, offset, [record]))
            self.before.append(readable(record))
            self.after.append(_as_dict(batch.columns, batch.rows[0], self._loaded_at) if batch.rows else None)
        if rest and records[wanted:]:
            self._stage(_part(chunk, wanted, records[wanted:]))

    def _stage(self, chunk: Chunk) -> Batch:
        batch = self._transformer(chunk)
        self._staging.write(batch)
        self.rejects += batch.rejects[: _SHOWN_REJECTS - len(self.rejects)]
        return batch


def readable(record: bytes) -> Any:
    """A raw record as JSON where it is some, as text where not."""
    try:
        return msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record.decode(errors="backslashreplace")


def _part(chunk: Chunk, offset: int, records: list[bytes]) -> Chunk:
    return Chunk(chunk.url, chunk.page, chunk.index + offset, b"[" + b",".join(records) + b"]")


def _as_dict(columns: tuple[Column, ...], row: tuple[Value, ...], loaded_at: str) -> dict[str, Any]:
    values = {
        column.name: readable(value.encode()) if column.type == "json" and isinstance(value, str) else value
        for column, value in zip(columns, row, strict=True)
    }
    return values | {"loaded_at": loaded_at}


def _rejected(reject: Reject) -> Rejected:
    return Rejected(
        page=reject.page,
        index=reject.index,
        field=reject.field,
        reason=reject.reason,
        message=reject.message,
        record=readable(reject.raw),
    )
