"""What a body holds: the array of records, and beside it what pagination needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from etl_service.extract.errors import Place, RecordsMissing, RecordsNotAnArray
from etl_service.extract.parts import NOT_JSON, Part, count_records

Pointer = tuple[str, ...]
Text = bytes | msgspec.Raw

#: Some writers put it before UTF-8.
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where in a body to look for what."""

    records: Pointer = ()
    total: Pointer | None = None
    next: Pointer | None = None  #: a cursor, or the address of the next page


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a body says beside its records, as JSON text; None where it says nothing."""

    total: bytes | None = None
    next: bytes | None = None


def parse_pointer(text: str) -> Pointer:
    """Read a JSON Pointer (RFC 6901)."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:])


def read_envelope(body: bytes, wanted: Wanted) -> tuple[Text | None, Envelope]:
    """Find the records and the rest in a body without white space around it, understanding no more than that takes.

    A member that an object has twice counts as it was the last time. The body is proven to be well-formed,
    except where it is itself an array and the records: that is left to `count_records`. Raises one of `NOT_JSON`.
    """
    if not wanted.records and not body.startswith(b"["):
        _prove(body)
    found = _pick(body, {pointer for pointer in (wanted.records, wanted.total, wanted.next) if pointer is not None})
    # copies: a msgspec.Raw would keep the whole body in memory
    total, following = (None if pointer is None else found.get(pointer) for pointer in (wanted.total, wanted.next))
    return found.get(wanted.records), Envelope(
        total=None if total is None else bytes(total), next=None if following is None else bytes(following)
    )


def records_part(records: Text | None, body: bytes, wanted: Wanted, place: Place) -> Part | None:
    """The records that `read_envelope` found, proven; None where there are none.

    Raises:
        RecordsMissing: there is nothing, on the first page; later it means that there are no more.
        RecordsNotAnArray: it is something else.
    """
    where = "".join(f"/{token}" for token in wanted.records)
    if records is None:
        if place.page == 1:
            raise RecordsMissing(f"there is nothing at {where}{_beside(body)}", place)
        return None
    kind = _kind(records)
    if kind == b"n":
        return None
    if kind != b"[":
        what = _KINDS.get(kind, "a number")
        raise RecordsNotAnArray(f"{where or 'the body'} is {what}{_beside(body)}", place)
    count = count_records(records)
    return Part(memoryview(records), count) if count else None


_KINDS = {b"{": "an object", b'"': "a text", b"t": "true", b"f": "false"}

_prove = msgspec.json.Decoder(msgspec.Raw).decode

#: How many members of a body a message names.
_NAMED = 8


def _pick(text: Text, pointers: Iterable[Pointer]) -> dict[Pointer, Text]:
    """The values that exist at the pointers; each level of the text is looked at once."""
    found: dict[Pointer, Text] = {}
    below: dict[str, list[Pointer]] = {}
    for pointer in pointers:
        if pointer:
            below.setdefault(pointer[0], []).append(pointer[1:])
        else:
            found[()] = text
    members = _members(text) if below else {}
    for token, rests in below.items():
        if token in members:
            deeper = _pick(members[token], rests)
            found.update({(token, *rest): value for rest, value in deeper.items()})
    return found


def _members(text: Text) -> Mapping[str, Text]:
    """An object's members, or an array's elements by their index; none of anything else."""
    kind = _kind(text)
    if kind == b"{":
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    if kind == b"[":
        elements = msgspec.json.decode(text, type=list[msgspec.Raw])
        return {str(index): element for index, element in enumerate(elements)}
    _prove(text)
    return {}


def _kind(text: Text) -> bytes:
    """The first character, which tells what kind of value a well-formed text is."""
    return bytes(memoryview(text)[:1])


def _beside(body: bytes) -> str:
    """The names that the body has, for who looks for the right one."""
    try:
        names = list(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    except NOT_JSON:
        return ""
    return f" (the body has {', '.join(names[:_NAMED])}{' and more' if len(names) > _NAMED else ''})"
