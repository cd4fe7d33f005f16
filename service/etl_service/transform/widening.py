"""The type that fits values, and the type that fits two types.

Nothing is lost on the way up: what a type could not give back asks for a wider one. Digits in quotes stay text
(a zip code is no number), as do integers beyond 64 bits and timestamps finer than microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import NoneType
from typing import Any, Final

from etl_service.spec import ColumnType
from etl_service.transform.conversions import LARGEST_INTEGER, SMALLEST_INTEGER, to_timestamp
from etl_service.transform.errors import Unfit

EXACT: Final = 2**53  #: beyond, a 64-bit float does not tell neighbours apart

#: The next wider type of each; json takes everything.
WIDER: Final[dict[ColumnType, ColumnType]] = {
    "integer": "number",
    "number": "text",
    "boolean": "text",
    "date": "timestamp",
    "timestamp": "text",
    "text": "json",
}


def widest(one: ColumnType, other: ColumnType) -> ColumnType:
    """The narrowest type that takes all that either takes."""
    takes = {other}
    while other != "json":
        other = WIDER[other]
        takes.add(other)
    while one not in takes:
        one = WIDER[one]
    return one


def type_of(values: Sequence[Any]) -> ColumnType | None:
    """The narrowest type that takes all these decoded JSON values, None where all are null."""
    types = [_type_of_kind(kind, values) for kind in set(map(type, values)) if kind is not NoneType]
    if not types:
        return None
    fitting = types[0]
    for other in types[1:]:
        fitting = widest(fitting, other)
    return "text" if fitting == "number" and has_more_digits(values) else fitting


def has_more_digits(values: Sequence[Any]) -> bool:
    """Whether an integer among these is more than a number keeps exactly."""
    return any(type(value) is int and not -EXACT <= value <= EXACT for value in values)


def _type_of_kind(kind: type, values: Sequence[Any]) -> ColumnType:
    if kind is int:
        fits = all(SMALLEST_INTEGER <= value <= LARGEST_INTEGER for value in values if type(value) is int)
        return "integer" if fits else "text"
    if kind is str:
        return _type_of_texts([value for value in values if type(value) is str])
    return _TYPES.get(kind, "json")


_TYPES: Final[dict[type, ColumnType]] = {bool: "boolean", float: "number"}


def _type_of_texts(texts: Sequence[str]) -> ColumnType:
    fitting: ColumnType = "date"
    for text in texts:
        type_ = _type_of_text(text)
        if type_ == "text":
            return "text"
        if type_ == "timestamp":
            fitting = "timestamp"
    return fitting


def _type_of_text(text: str) -> ColumnType:
    rfc_3339 = _RFC_3339.fullmatch(text)
    if not rfc_3339:
        return "text"
    try:
        to_timestamp(text)
    except Unfit:  # such as 2024-02-30
        return "text"
    return "timestamp" if rfc_3339["time"] else "date"


_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?"
)
