"""A chunk that cannot be read as a whole is taken apart, to find the records that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from etl_service.jsontext import split
from etl_service.model import Batch, Chunk, Column, Reject
from etl_service.spec import OnError
from etl_service.transform.errors import NotAnArray, RecordRefused, Unfit
from etl_service.transform.fields import Row

#: What reading many records at once raises where it cannot vouch for them; `Unfit` is a ValueError.
UNSURE = (ValueError, RecursionError)

#: Few enough that a bad record costs its neighbours little, and enough that good ones keep most of the speed.
TOGETHER = 16


def take_apart(
    chunk: Chunk,
    columns: tuple[Column, ...],
    on_error: OnError,
    *,
    read_many: Callable[[bytes], Sequence[Row]],
    read_one: Callable[[bytes], Row],
) -> Batch:
    """Read the records that can be read, a few at once where that goes, and do as ``onError`` says with the others.

    Raises:
        RecordRefused: a record does not fit, and ``onError`` is ``fail``.
        NotAnArray: the chunk has no array to take apart.
    """
    try:
        records = split(chunk.records)
    except ValueError:
        raise NotAnArray(chunk) from None

    rows: list[Row] = []
    rejects: list[Reject] = []
    skipped = 0
    for first in range(0, len(records), TOGETHER):
        group = records[first : first + TOGETHER]
        try:
            rows += read_many(b"[" + b",".join(group) + b"]")
            continue
        except UNSURE:
            pass
        for index, record in enumerate(group, chunk.index + first):
            try:
                rows.append(_read(record, read_one))
            except Unfit as unfit:
                if on_error == "fail":
                    raise RecordRefused(chunk, index, unfit) from unfit
                if on_error == "skip":
                    skipped += 1
                else:
                    rejects.append(_reject(chunk, index, unfit, record))
    return Batch(columns, rows, rejects, skipped, chunk.fetched_at)


def _read(record: bytes, read_one: Callable[[bytes], Row]) -> Row:
    try:
        return read_one(record)
    except RecursionError:
        raise Unfit("NestedTooDeep", "objects or arrays lie many hundreds deep in each other") from None


def _reject(chunk: Chunk, index: int, unfit: Unfit, record: bytes) -> Reject:
    return Reject(
        chunk.url, chunk.page, index, unfit.field, unfit.reason, unfit.message, raw=record, fetched_at=chunk.fetched_at
    )
