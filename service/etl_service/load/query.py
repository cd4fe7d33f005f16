"""What readers write in a query, in a store's own terms: values of filters, and tokens of pages."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec

from etl_service.load.errors import QueryError
from etl_service.load.store import Order, Table
from etl_service.model import Column, Value, timestamp
from etl_service.spec import ColumnType

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORDS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}
_SIXTY_FOUR_BITS = range(-(2**63), 2**63)


def column_of(table: Table, name: str, field: str) -> Column:
    """The table's column of that name.

    Raises:
        QueryError: it has none.
    """
    for column in table.columns:
        if column.name == name:
            return column
    known = ", ".join(column.name for column in table.columns)
    raise QueryError(f"table {table.name} has no column {name!r}; it has {known}", field=field)


def value_of(column: Column, text: str) -> Value:
    """The value that a filter's text means, as the column's type is stored.

    Raises:
        QueryError: it is no such value.
    """
    read, example = _READERS[column.type]
    try:
        return read(text)
    except (ValueError, OverflowError, KeyError, msgspec.DecodeError):
        raise QueryError(
            f"{column.name}={text!r}: column {column.name} is {column.type}; write it like {example}", field=column.name
        ) from None


def token(sort: str | None, order: Order, place: Sequence[Value]) -> str:
    """The row that a page ended with, for the page that follows: its sort value, where sorted by one, and its key."""
    text = msgspec.json.encode((sort, order, place))
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def place_of(token: str, sort: str | None, order: Order, length: int) -> list[Any]:
    """What `token` was made from.

    Raises:
        QueryError: nobody made it, or for rows in another order.
    """
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        made_sort, made_order, place = msgspec.json.decode(
            text, type=tuple[str | None, Literal["asc", "desc"], list[bool | int | float | str | None]]
        )
    except (ValueError, msgspec.DecodeError):
        raise QueryError("after is not a token that a page of this table gave; leave it out", field="after") from None
    if (made_sort, made_order, len(place)) != (sort, order, length) or not all(map(_bindable, place)):
        raise QueryError("after belongs to rows in another order; start again without it", field="after")
    return place


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text) or (number := int(text)) not in _SIXTY_FOUR_BITS:
        raise ValueError(text)
    return number


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _timestamp(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _json(text: str) -> str:
    return msgspec.json.encode(msgspec.json.decode(text)).decode()


def _bindable(value: object) -> bool:
    return not isinstance(value, int) or value in _SIXTY_FOUR_BITS


_READERS: Mapping[ColumnType, tuple[Callable[[str], Value], str]] = {
    "integer": (_integer, "42"),
    "number": (_number, "4.2"),
    "boolean": (_WORDS.__getitem__, "true or false"),
    "text": (str, "text"),
    "timestamp": (_timestamp, "2024-01-31T12:00:00Z"),
    "date": (lambda text: date.fromisoformat(text).isoformat(), "2024-01-31"),
    "json": (_json, '{"a": 1}'),
}
