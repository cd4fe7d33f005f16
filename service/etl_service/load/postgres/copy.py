"""COPY in its binary form: the server parses nothing, and psycopg has hardly more to do than to copy."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.postgres import types as known_types
from psycopg.pq import Format

from etl_service.spec import ColumnType

_TYPES: dict[ColumnType, str] = {
    "integer": "int8",
    "number": "float8",
    "boolean": "bool",
    "text": "text",
    "timestamp": "timestamptz",
    "date": "date",
    "json": "json",
}


def copy_in(
    connection: psycopg.Connection[Any], into: str, types: Sequence[ColumnType], rows: Iterable[Sequence[Any]]
) -> None:
    """Write rows of values, as every store has them, to a table and its columns."""
    with connection.cursor() as cursor:
        for dumper in (_Timestamp, _Date, _Json):
            cursor.adapters.register_dumper(None, dumper)  # for columns of that type alone: elsewhere, text is text
        with cursor.copy(f"COPY {into} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types([_TYPES[type] for type in types])
            write = copy.write_row
            for row in rows:
                write(row)


class _Binary(Dumper):
    format = Format.BINARY


class _Timestamp(_Binary):
    """Microseconds since 2000, in UTC."""

    oid = known_types["timestamptz"].oid

    def dump(self, obj: str) -> bytes:
        return struct.pack("!q", (datetime.fromisoformat(obj) - _NOUGHT) // _MICROSECOND)


class _Date(_Binary):
    """Days since 2000."""

    oid = known_types["date"].oid

    def dump(self, obj: str) -> bytes:
        return struct.pack("!i", date.fromisoformat(obj).toordinal() - _NOUGHT.toordinal())


class _Json(_Binary):
    oid = known_types["json"].oid

    def dump(self, obj: str) -> bytes:
        return obj.encode()


_NOUGHT = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
