"""Rows as JSON, as lines of JSON, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from etl_service.load.store import Row
from etl_service.model import Column, Value

#: A cell that begins so is a formula to a spreadsheet: a row's text must not become its reader's command.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_encode = msgspec.json.Encoder().encode

#: Some rows as bytes, on their way out.
Encoder = Callable[[Sequence[Row]], bytes]


def json_array(columns: Sequence[Column], rows: Iterable[Row]) -> bytes:
    return _encode(_objects(columns, rows))


def ndjson(columns: Sequence[Column]) -> Encoder:
    return lambda rows: b"".join(_encode(row) + b"\n" for row in _objects(columns, rows))


def csv_rows(columns: Sequence[Column]) -> Encoder:
    """RFC 4180, without the header; null is an empty cell, booleans are true and false."""

    def encode(rows: Sequence[Row]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
        return text.getvalue().encode()

    return encode


def csv_header(columns: Sequence[Column]) -> bytes:
    return csv_rows(columns)([tuple(column.name for column in columns)])


def _objects(columns: Sequence[Column], rows: Iterable[Row]) -> list[dict[str, Any]]:
    names = [column.name for column in columns]
    objects: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
    for name in [column.name for column in columns if column.type == "json"]:
        for each in objects:
            if each[name] is not None:  # it is JSON already, and goes out as it is
                each[name] = msgspec.Raw(each[name].encode())
    return objects


def _cell(value: Value) -> Value:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
