"""Reading an array of records as a whole: decoded straight into typed structs, and converted column by column.

It answers only where reading them one by one would give the same, and raises where it is not sure.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Raw

from etl_service.spec import ColumnType
from etl_service.transform.cleaning import clean_all
from etl_service.transform.conversions import CONVERSIONS, LARGEST_INTEGER, SMALLEST_INTEGER
from etl_service.transform.fields import Field, Row, find


class NotSure(ValueError):
    """Records that are better read one by one."""


def typed_reader(fields: Sequence[Field]) -> Callable[[bytes], list[Row]]:
    """Compile the fields into a function from the text of an array to its rows.

    The function raises ValueError or RecursionError where it is not sure, or where a record does not fit.
    """
    wanted = [_Wanted(column, field, field.path) for column, field in enumerate(fields)]
    struct, collect = _object([want for want in wanted if _fits_struct(want.path)], optional=False)
    decode = msgspec.json.Decoder(list[struct]).decode  # type: ignore[valid-type]
    others = [want for want in wanted if not _fits_struct(want.path)]
    _, collect_others = _pieces(others)
    keys_may_have_escapes = not all(_PLAIN.fullmatch(token) for field in fields for token in field.path)

    def read(array: bytes) -> list[Row]:
        if _NUL_OR_ESCAPED_KEY.search(array) or (keys_may_have_escapes and b"\\" in array):
            raise NotSure
        if not array.isascii():
            array.decode()  # msgspec does not look into what no column is made of
        records = decode(array)
        columns: Columns = {}
        collect(records, columns)
        if others:
            collect_others(_decode_pieces(array), columns)
        return list(zip(*(columns[column] for column in range(len(fields))), strict=True)) or [()] * len(records)

    return read


Columns = dict[int, Sequence[Any]]
Collect = Callable[[Sequence[Any], Columns], None]  #: from what lies at one place of each record, to columns


class _Wanted(NamedTuple):
    column: int
    field: Field
    path: tuple[str, ...]  #: from the place that is being compiled


def _object(wanted: Sequence[_Wanted], *, optional: bool) -> tuple[Any, Collect]:
    """A struct for an object of which fields are wanted; where it is null or missing, so are they."""
    places: dict[str, list[_Wanted]] = defaultdict(list)
    for column, field, (token, *path) in wanted:
        places[token].append(_Wanted(column, field, tuple(path)))
    compiled = [_place(there) for there in places.values()]
    struct = msgspec.defstruct(
        "Record",
        [(f"f{n}", kind, None) for n, (kind, _) in enumerate(compiled)],
        rename={f"f{n}": token for n, token in enumerate(places)},
        gc=False,  # a record refers to nothing that could refer back
    )
    members = [(attrgetter(f"f{n}"), collect) for n, (_, collect) in enumerate(compiled)]

    def collect(objects: Sequence[Any], columns: Columns) -> None:
        for get, collect_member in members:
            there = map(get, objects) if not optional else (None if item is None else get(item) for item in objects)
            collect_member(list(there), columns)

    return struct | None if optional else struct, collect


def _place(wanted: Sequence[_Wanted]) -> tuple[Any, Collect]:
    """How to decode what lies at one place of an object, for the columns read from there or from further in."""
    if len(wanted) == 1 and not wanted[0].path and _has_type_of_its_own(wanted[0].field):
        return _value(wanted[0])
    if all(_fits_struct(want.path) and not want.path[0].isdecimal() for want in wanted):
        return _object(wanted, optional=True)
    return _pieces(wanted)


def _value(wanted: _Wanted) -> tuple[Any, Collect]:
    """A value that msgspec decodes and checks, for one column."""
    column, field, _ = wanted
    finish = _finish(field)

    def collect(values: Sequence[Any], columns: Columns) -> None:
        columns[column] = finished = finish(values)
        if field.required and None in finished:
            raise NotSure

    return _DECODED[field.type], collect


def _pieces(wanted: Sequence[_Wanted]) -> tuple[Any, Collect]:
    """JSON text as it came, for what only the documented conversions can read: json, arrays, a place of two columns."""

    def collect(pieces: Sequence[Any], columns: Columns) -> None:
        for column, field, path in wanted:
            texts = [None if piece is None else bytes(piece) for piece in pieces]
            columns[column] = [field.read(None if text is None else find(text, path)) for text in texts]

    return Raw, collect


def _finish(field: Field) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What is left to do once msgspec has checked the type."""
    if field.type == "text":
        return lambda values: clean_all(field.clean, values)
    if field.type in ("timestamp", "date"):
        convert = CONVERSIONS[field.type]

        def finish(values: Sequence[Any]) -> Sequence[Any]:
            texts = [value if value is None else str(value) for value in values]
            return [text if text is None else convert(text) for text in clean_all(field.clean, texts)]

        return finish
    return lambda values: values  # cleaning does nothing to numbers, see `_has_type_of_its_own`


#: What each type takes in its most usual form; everything else is left to the conversions.
_DECODED: Final[dict[ColumnType, Any]] = {
    "integer": Annotated[int, Meta(ge=SMALLEST_INTEGER, le=LARGEST_INTEGER)] | None,
    "number": float | None,
    "text": str | None,
    "boolean": bool | None,
    "timestamp": str | int | None,
    "date": str | int | None,
}


def _has_type_of_its_own(field: Field) -> bool:
    return field.type in _DECODED and not (field.type in ("integer", "number") and "milliseconds" in field.clean)


def _fits_struct(path: Sequence[str]) -> bool:
    return bool(path) and not _NO_STRUCT_KEY.search(path[0])


_NO_STRUCT_KEY = re.compile(r'[\x00-\x1f"\\]')

# Structs compare keys as they are written, and do not see that "\u0069d" is id. Where a key has such an escape, the
# array is read the exact way. Keys with marks that are often escaped, such as é, / and &, need one without escapes.
_NUL_OR_ESCAPED_KEY = re.compile(rb'\\u00(?:00|[^"\\]*+"\s*+:)')
_PLAIN = re.compile(r"[ !#$%()*+,\-.0-9:;=?@A-Z\[\]^_`a-z{|}~]*")

_decode_pieces = msgspec.json.Decoder(list[Raw]).decode
