"""Records to rows by the columns that the document names."""

from __future__ import annotations

from collections.abc import Sequence

from etl_service.model import Batch, Chunk, Column
from etl_service.spec import ColumnSpec, OnError
from etl_service.transform.apart import UNSURE, take_apart
from etl_service.transform.fields import Field, read_record
from etl_service.transform.typed import typed_reader


class Mapped:
    """A transformer for columns that are known: compiled once, then the same for every chunk."""

    def __init__(self, fields: Sequence[Field], on_error: OnError) -> None:
        self.columns = tuple(Column(field.name, field.type) for field in fields)
        self._fields = tuple(fields)
        self._on_error = on_error
        self._read_many = typed_reader(fields)

    def __call__(self, chunk: Chunk) -> Batch:
        try:
            rows = self._read_many(bytes(chunk.records))
        except UNSURE:
            return take_apart(
                chunk,
                self.columns,
                self._on_error,
                read_many=self._read_many,
                read_one=lambda record: read_record(record, self._fields),
            )
        return Batch(self.columns, rows, fetched_at=chunk.fetched_at)


def mapped_fields(columns: Sequence[ColumnSpec], key: Sequence[str]) -> list[Field]:
    """The fields that a document's columns are read from; those of the key are required."""
    keys = {name.lower() for name in key}  # as SQL compares names
    return [
        Field(
            column.name,
            column.type,
            _tokens(column.from_),
            required=column.required or column.name.lower() in keys,
            clean=column.clean,
        )
        for column in columns
    ]


def _tokens(pointer: str) -> tuple[str, ...]:
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
