"""Records to rows where the document names no columns: every top-level field is one, of a type that fits its values.

Columns are what is inferred. The rows are then made as if the document had named them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec import Raw

from etl_service.jsontext import split
from etl_service.model import Batch, Chunk, Column
from etl_service.spec import OnError
from etl_service.spec.words import ADDED
from etl_service.transform.apart import UNSURE
from etl_service.transform.errors import NotAnArray, TooManyColumns
from etl_service.transform.fields import Field, open_record
from etl_service.transform.mapped import Mapped
from etl_service.transform.names import Names
from etl_service.transform.widening import has_more_digits, type_of, widest

MOST_COLUMNS: Final = 1000  #: SQLite ends at 2000, PostgreSQL at 1600


class Inferred:
    """A transformer that learns columns as chunks arrive: they are added and widened, and never go.

    A field that has been null wherever it came is no column yet.
    """

    def __init__(self, key: Sequence[str], known: Sequence[Column], on_error: OnError) -> None:
        self._key = {name.lower(): name for name in key}
        self._on_error = on_error
        self._names = Names([*key, *(column.name for column in known)])
        self._types = {column.name: column.type for column in known if column.name not in ADDED}
        self._keys = {name: name for name in self._types}  # in the records, by column
        self._mapped = self._compile()

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(name, type_) for name, type_ in self._types.items())

    def __call__(self, chunk: Chunk) -> Batch:
        self._learn(chunk)
        return replace(self._mapped(chunk), columns=self.columns)

    def _learn(self, chunk: Chunk) -> None:
        """Make the columns fit the chunk's records."""
        records = _records(chunk)
        fields = dict.fromkeys(chain.from_iterable(records))
        if len(fields) > MOST_COLUMNS:
            raise TooManyColumns(chunk, MOST_COLUMNS)
        fitting = {field: type_ for field in fields if (type_ := type_of([record.get(field) for record in records]))}
        self._names.give(field for field in fitting if field not in self._names)

        keys, types = dict(self._keys), dict(self._types)
        for field, type_ in fitting.items():
            name = self._names[field]
            keys[name] = field
            types[name] = widest(type_, types.get(name, type_))
            if types[name] == "number" and has_more_digits([record.get(field) for record in records]):
                types[name] = "text"
        if len(types) > MOST_COLUMNS:
            raise TooManyColumns(chunk, MOST_COLUMNS)
        if (keys, types) != (self._keys, self._types):
            self._keys, self._types = keys, types
            self._mapped = self._compile()

    def _compile(self) -> Mapped:
        fields = [
            Field(name, type_, (self._keys[name],), required=name.lower() in self._key)
            for name, type_ in self._types.items()
        ]
        columns = {name.lower() for name in self._types}
        missing = [
            Field(name, "text", (name,), required=True) for lower, name in self._key.items() if lower not in columns
        ]
        return Mapped([*fields, *missing], self._on_error)


def _records(chunk: Chunk) -> Sequence[dict[str, Any]]:
    """The chunk's records in Python's terms; one that is none is empty here, and rejected when rows are made."""
    try:
        return _decode_all(chunk.records)
    except UNSURE:
        pass
    try:
        return [_record(record) for record in split(chunk.records)]
    except ValueError:
        raise NotAnArray(chunk) from None


def _record(record: bytes) -> dict[str, Any]:
    try:
        return {key: _value(raw) for key, raw in open_record(record).items()}
    except UNSURE:
        return {}


def _value(raw: Raw) -> Any:
    try:
        return _decode(raw)
    except msgspec.ValidationError:  # a number beyond what Python holds, here or further in
        return [] if bytes(raw)[0] in b"{[" else ""


_decode = msgspec.json.Decoder().decode
_decode_all = msgspec.json.Decoder(list[dict[str, Any]]).decode
