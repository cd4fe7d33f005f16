"""Values that a document writes as text: each with its pattern, and the way there and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import Strict, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from etl_service.spec.base import VALIDATIONS, wrong

V = TypeVar("V")
T = TypeVar("T")

#: A list in a document, a tuple in Python; made from either.
Items = Annotated[tuple[T, ...], Strict(False)]


def _nothing_to_say(given: str) -> None:
    """What most kinds of text know of a particular one."""


@dataclass(frozen=True)
class Written(Generic[V]):
    """Annotates a field whose value is text in a document (that is: in JSON), and of the type ``python`` in Python.

    A value made in Python is written and read again, so that both keep to the same bounds.
    """

    what: str  #: with its article: "a duration"
    how: str  #: the remedy: "write it like 30s or 1h30m"
    pattern: str  #: of the whole text, in what Python, ECMAScript and RE2 have in common
    max_length: int
    min_length: int
    python: type
    read: Callable[[str], V]  #: the value of a text that has the pattern; raises `wrong` where there is none
    write: Callable[[V], str]
    look: Callable[[str], None] = _nothing_to_say  #: raises `wrong` where more can be said than the pattern does
    or_integer: bool = False  #: whether a whole number need not be text, as in Kubernetes' quantities
    bounds: tuple[str, str] | None = None  #: where the value has bounds: the rule in CEL, and what is said of a breach

    def validate(self, given: Any, info: ValidationInfo) -> V:
        if info.mode == "python" and type(given) is self.python:
            given = self.write(cast("V", given))
        if self.or_integer and type(given) is int:
            given = str(given)
        if not isinstance(given, str):
            raise wrong("must be text", f"{self.how}, in quotes")
        if len(given) < self.min_length:
            raise wrong("is empty", self.how)
        if len(given) > self.max_length:
            raise wrong(f"has more than {self.max_length} characters", "shorten it")
        self.look(given)
        if not re.fullmatch(self.pattern, given):
            raise wrong(f"is not {self.what}", self.how)
        return self.read(given)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        writing = core_schema.plain_serializer_function_ser_schema(self.write, when_used="json")
        return core_schema.with_info_plain_validator_function(self.validate, serialization=writing)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        rule, said = self.bounds or ("", "")
        return {
            "type": ["string", "integer"] if self.or_integer else "string",
            "pattern": f"^({self.pattern})$",
            "maxLength": self.max_length,
            **({"minLength": self.min_length} if self.min_length else {}),
            **({VALIDATIONS: [{"rule": rule, "message": f"{said}; {self.how}"}]} if self.bounds else {}),
        }


def plain_text(
    what: str,
    how: str,
    pattern: str,
    max_length: int,
    min_length: int = 1,
    look: Callable[[str], None] = _nothing_to_say,
) -> Written[str]:
    """Text that stays text."""
    return Written(what, how, pattern, max_length, min_length, str, read=str, write=str, look=look)


def duration(least: timedelta, most: timedelta) -> Written[timedelta]:
    """``1h30m``: hours, minutes, seconds and milliseconds, as in the Gateway API; each at most once, in that order."""

    def read(text: str) -> timedelta:
        parts = re.findall("([0-9]+)([hms]+)", text)
        value = sum((int(count) * _DURATIONS[unit] for count, unit in parts), timedelta(0))
        if not least <= value <= most:
            raise wrong(must, how)
        return value

    first, last = _write_duration(least), _write_duration(most)
    must = f"must be from {first} to {last}"
    cel = f"duration(self) >= duration('{first}') && duration(self) <= duration('{last}')"
    how = "write hours, minutes, seconds and milliseconds, like 1h30m, 30s or 500ms"
    pattern = "([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?([0-9]{1,5}ms)?"
    return Written("a duration", how, pattern, 24, 2, timedelta, read, _write_duration, bounds=(cel, must))


def _write_duration(value: timedelta) -> str:
    text = ""
    for unit, length in _DURATIONS.items():
        count, value = divmod(value, length)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


_DURATIONS = {
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def _size(most: int) -> Written[int]:
    """``1Gi``: one byte or more, in Kubernetes' whole quantities."""

    def read(text: str) -> int:
        digits = text.rstrip("KMGTik")
        value = int(digits) * _SIZES.get(text[len(digits) :], 1)
        if not 0 < value <= most:
            raise wrong(must, how)
        return value

    must = f"must be from 1 byte to {_write_size(most)}"
    cel = (
        f"quantity(self).isGreaterThan(quantity('0')) && !quantity(self).isGreaterThan(quantity('{_write_size(most)}'))"
    )

    how = 'write bytes, like 1Gi, 500M or "1048576"'
    pattern = "[0-9]{1,16}(Ki|Mi|Gi|Ti|k|M|G|T)?"
    return Written("a size", how, pattern, 18, 1, int, read, _write_size, bounds=(cel, must))


def _write_size(value: int) -> str:
    unit = next((unit for unit, length in _SIZES.items() if value and value % length == 0), None)
    return f"{value // _SIZES[unit]}{unit}" if unit else str(value)


#: The largest first, so that what can be written short is.
_SIZES = {
    "Ti": 2**40,
    "T": 10**12,
    "Gi": 2**30,
    "G": 10**9,
    "Mi": 2**20,
    "M": 10**6,
    "Ki": 2**10,
    "k": 10**3,
}

Bytes = Annotated[int, _size(most=2**50)]

#: RFC 6901. The empty pointer is the whole document.
Pointer = Annotated[
    str,
    plain_text(
        "a JSON Pointer",
        "begin each step with a slash, like /data/items; ~ is written ~0, and / within a step ~1",
        "(/([^/~]|~[01])*)*",
        512,
        0,
    ),
]
