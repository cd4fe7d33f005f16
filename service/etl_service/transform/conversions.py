"""From one JSON value to what a column holds, row by row as docs/conversions.md says.

A number or a boolean is read as the text it is written in: ``12`` and ``"12"`` cannot differ, and a number in a
text column keeps its digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from math import isinf
from typing import Final

import msgspec

from etl_service.jsontext import TOKEN
from etl_service.model import Value
from etl_service.spec import ColumnType
from etl_service.transform.errors import Unfit

SMALLEST_INTEGER: Final = -(2**63)
LARGEST_INTEGER: Final = 2**63 - 1

read_text = msgspec.json.Decoder(str).decode


def convert(raw: bytes, to: ColumnType, clean: Callable[[str], str | None] | None = None) -> Value:
    """What a column of type ``to`` holds for the text of one JSON value.

    Raises:
        Unfit: the value is none of that type.
        RecursionError: it is nested too deep.
    """
    if raw == b"null":
        return None
    if raw[0] in b"{[":
        if to != "json":
            kind = "an object" if raw[0] in b"{" else "an array"
            raise Unfit(_NOT_A[to], f"{kind} is no {to}; load it as json, or let from point into it")
        return _compact(raw)
    text = given = read_text(raw) if raw[0] in b'"' else raw.decode()
    if clean:
        cleaned = clean(given)
        if cleaned is None:
            return None
        text = cleaned
    if to == "json":
        return _compact(raw if text == given else msgspec.json.encode(text))
    return CONVERSIONS[to](text)


def to_integer(text: str) -> int | None:
    if _SHORT_INTEGER.fullmatch(text):
        return int(text)
    if not text:
        return None
    number = _decimal(text, "integer")
    if not SMALLEST_INTEGER <= number <= LARGEST_INTEGER:
        raise Unfit("IntegerOutOfRange", f"{_quoted(text)} needs more than 64 bits; load it as text")
    if number != number.to_integral_value():
        raise Unfit("NotAnInteger", f"{_quoted(text)} has a fraction; load it as number")
    return int(number)


def to_number(text: str) -> float | None:
    """The nearest 64-bit float."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise _not_a("number", text)
    number = float(text)
    if isinf(number):
        raise Unfit("NumberOutOfRange", f"{_quoted(text)} is beyond a 64-bit float; load it as text")
    return number


def to_text(text: str) -> str:
    if "\0" in text:
        raise Unfit("TextHasNul", f"{_quoted(text)} has a NUL character; clean it with strip_control")
    return text


def to_boolean(text: str) -> bool | None:
    if not text:
        return None
    truth = _BOOLEANS.get(text.lower())
    if truth is None:
        raise _not_a("boolean", text)
    return truth


def to_timestamp(text: str) -> str | None:
    """UTC with microseconds, fixed width; digits beyond microseconds are cut off."""
    return _moment(text, "timestamp") if text else None


def to_date(text: str) -> str | None:
    """The day in UTC."""
    return _moment(text, "date")[:10] if text else None


#: From the text of a JSON string, number or boolean.
CONVERSIONS: Final[dict[ColumnType, Callable[[str], Value]]] = {
    "integer": to_integer,
    "number": to_number,
    "text": to_text,
    "boolean": to_boolean,
    "timestamp": to_timestamp,
    "date": to_date,
}

_NOT_A: Final[dict[ColumnType, str]] = {
    "integer": "NotAnInteger",
    "number": "NotANumber",
    "text": "NotText",
    "boolean": "NotABoolean",
    "timestamp": "NotATimestamp",
    "date": "NotADate",
}

_BOOLEANS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0"), False
)

_SHORT_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,9})?")

#: The group is the zone. `datetime.fromisoformat` takes more than this, and more from version to version.
_ISO_8601 = re.compile(
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"
    r"(?:[Tt ](?=[01]|2[0-3])(?:[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?|[0-9]{6}|[0-9]{4})"
    r"(?: ?(Z|z|UTC|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?)?"
)
_UTC = ("", "Z", "z", "UTC")
_YEAR = re.compile(r"[0-9]{4}")
_EPOCH = datetime(1970, 1, 1)
_FIRST_SECOND, _END_OF_TIME = -62135596800, 253402300800  # of the years 1 to 9999
_MICROSECOND = Decimal("0.000001")


def _decimal(text: str, to: ColumnType) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise _not_a(to, text)
    return Decimal(text)


def _moment(text: str, to: ColumnType) -> str:
    iso = _ISO_8601.fullmatch(text)
    if iso is None:
        return _since_epoch(text, to)
    zone = iso[1] or ""
    local = text[: len(text) - len(zone)].rstrip()
    try:
        moment = datetime.fromisoformat(local if zone in _UTC else local + zone)
        if moment.tzinfo:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        elif len(local) >= 19 and local[4] == "-":  # all but written as it will be
            return f"{local[:10]}T{local[11:19]}.{local[20:26].ljust(6, '0')}Z"
    except ValueError:
        raise _not_a(to, text) from None
    except OverflowError:
        raise _out_of_range(to, text) from None
    return _written(moment)


def _since_epoch(text: str, to: ColumnType) -> str:
    if _YEAR.fullmatch(text):
        raise _not_a(to, text)
    seconds = int(text) if _SHORT_INTEGER.fullmatch(text) else _decimal(text, to)
    if not _FIRST_SECOND <= seconds < _END_OF_TIME:
        raise _out_of_range(to, text)
    if isinstance(seconds, int):
        return _written(_EPOCH + timedelta(seconds=seconds))
    microseconds = int(seconds.quantize(_MICROSECOND, ROUND_FLOOR).scaleb(6))
    return _written(_EPOCH + timedelta(microseconds=microseconds))


def _written(moment: datetime) -> str:
    text = moment.isoformat()  # leaves out a fraction of zero, and is twice as fast as with a timespec
    return f"{text}Z" if moment.microsecond else f"{text}.000000Z"


def _compact(raw: bytes) -> str:
    """JSON text without white space; numbers, escapes and repeated keys stay as they came."""
    if b"\\u0000" in raw and any("\0" in read_text(token[0]) for token in TOKEN.finditer(raw) if token[0][0] in b'"'):
        raise Unfit("TextHasNul", "a text in this json has a NUL character; load the parts that have none")
    return msgspec.json.format(raw, indent=-1).decode()


def _not_a(to: ColumnType, text: str) -> Unfit:
    remedy = "clean it with strip" if text != text.strip() else "clean it, or load it as text"
    return Unfit(_NOT_A[to], f"{_quoted(text)} is no {to}; {remedy}")


def _out_of_range(to: ColumnType, text: str) -> Unfit:
    return Unfit(
        "TimestampOutOfRange",
        f"{_quoted(text)} is outside the years 1 to 9999; if it counts milliseconds, clean it with milliseconds",
    )


def _quoted(text: str) -> str:
    return msgspec.json.encode(text if len(text) <= 60 else text[:59] + "…").decode()
