"""The exact way to read one record: open it, find each field, convert each value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import msgspec
from msgspec import Raw

from etl_service.model import Value
from etl_service.spec import Clean, ColumnType
from etl_service.transform.cleaning import cleaner
from etl_service.transform.conversions import convert
from etl_service.transform.errors import Unfit

Row = tuple[Value, ...]


@dataclass(frozen=True)
class Field:
    """A column of the table, and where in a record its value lies."""

    name: str
    type: ColumnType
    path: tuple[str, ...]  #: the tokens of a JSON Pointer
    required: bool = False
    clean: tuple[Clean, ...] = ()

    @cached_property
    def cleaner(self) -> Callable[[str], str | None] | None:
        return cleaner(self.clean)

    def read(self, raw: bytes | None) -> Value:
        """The value for the JSON text found in a record, None where there was none.

        Raises:
            Unfit: it is none of the column's type, or missing; ``field`` is the column's name.
        """
        try:
            value = None if raw is None else convert(raw, self.type, self.cleaner)
        except Unfit as unfit:
            unfit.field = self.name
            raise
        if value is None and self.required:
            raise Unfit("Required", "the record has nothing here, and every row needs it", field=self.name)
        return value


def read_record(record: bytes, fields: Sequence[Field]) -> Row:
    """The row that one record's text becomes.

    Raises:
        Unfit: what is wrong first, in the order of the fields.
        RecursionError: objects or arrays lie too deep in each other.
    """
    top = open_record(record)
    return tuple([field.read(_find(record, top, field.path)) for field in fields])


def open_record(record: bytes) -> dict[str, Raw]:
    """The texts of a record's fields; of a name that comes twice, the last.

    Raises:
        Unfit: the record is no JSON object.
        RecursionError: objects or arrays lie too deep in each other.
    """
    try:
        record.decode()
        return _object(record)
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} is {record[error.start]:#04x}"
        raise Unfit("InvalidText", f"the record is not UTF-8: {byte}") from None
    except msgspec.ValidationError:
        raise Unfit("NotAnObject", "the record is no JSON object; check extract.records") from None
    except msgspec.DecodeError:
        _say_what_is_wrong_with(record)


def find(raw: bytes, path: Sequence[str]) -> bytes | None:
    """The text that the tokens of a JSON Pointer lead to, None where they lead nowhere."""
    found: Raw | bytes | None = raw
    for token in path:
        if found is None:
            return None
        found = _step(bytes(found), token)
    return None if found is None else bytes(found)


_object = msgspec.json.Decoder(dict[str, Raw]).decode
_array = msgspec.json.Decoder(list[Raw]).decode
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def _find(record: bytes, top: dict[str, Raw], path: Sequence[str]) -> bytes | None:
    if not path:
        return record
    raw = top.get(path[0])
    if raw is None:
        return None
    return bytes(raw) if len(path) == 1 else find(bytes(raw), path[1:])


def _step(raw: bytes, token: str) -> Raw | None:
    if raw[0] in b"{":
        return _object(raw).get(token)
    if raw[0] in b"[" and _INDEX.fullmatch(token):
        items = _array(raw)
        return items[int(token)] if int(token) < len(items) else None
    return None


def _say_what_is_wrong_with(record: bytes) -> NoReturn:
    """Python's own parser is slower, takes half surrogate pairs, and says in plain words what it does not take."""
    try:
        json.loads(record.decode(), parse_constant=_refuse, parse_int=str)
    except ValueError as error:
        raise Unfit("InvalidJson", f"the record is no JSON: {error}") from None
    raise Unfit("InvalidText", "a text in the record has half a surrogate pair, which is no character")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it has {constant}, which JSON has not")
