"""From records to typed rows: bytes in, rows and rejects out. No I/O, no clock."""

from __future__ import annotations

from typing import Protocol

from etl_service.model import Batch, Chunk, Column
from etl_service.spec import Transform
from etl_service.transform.inferred import Inferred
from etl_service.transform.mapped import Mapped, mapped_fields


class Transformer(Protocol):
    """Makes batches of chunks; for one run, from one thread."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of the rows made so far; they only grow and widen, and only where types are inferred."""
        ...

    def __call__(self, chunk: Chunk) -> Batch:
        """Every record of the chunk becomes a row, a reject, or one more skipped.

        Raises:
            RecordRefused: a record does not fit, and ``onError`` is ``fail``.
            NotAnArray: the chunk is no JSON array.
            TooManyColumns: inferred columns have grown beyond all reason.
        """
        ...


def compile_transform(transform: Transform, *, key: tuple[str, ...], known: tuple[Column, ...] = ()) -> Transformer:
    """Compile what the document says of columns, cleaning and errors.

    ``key`` are the columns that identify a row, and therefore may not be null. ``known`` are the columns that the
    table has: where types are inferred they start from there, so that a table only ever widens.
    """
    if transform.columns is None:
        return Inferred(key, known, transform.on_error)
    return Mapped(mapped_fields(transform.columns, key), transform.on_error)
