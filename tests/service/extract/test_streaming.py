"""A body that is read as it arrives gives what it gives when it is all there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_service import jsontext
from etl_service.extract.envelope import Envelope, Wanted, parse_pointer
from etl_service.extract.errors import EnvelopeTooLarge, Place, RecordsMissing, RecordsNotAnArray, RecordTooLarge
from etl_service.extract.parts import Malformed, Part
from etl_service.extract.reader import JsonReader
from etl_service.extract.stream import JsonStream

PLACE = Place("https://source.test/posts", 1)

#: Text that looks like structure, which is what a splitter could trip over.
texts = st.one_of(
    st.text(max_size=8), st.sampled_from(['},{"id', '"', "\\", "\\\\", '\\"', "],[", "[{", "}]", "é", "😀"])
)
keys = st.sampled_from(["id", "a", "data", "items", "next", "total", "", "a/b", "m~n", 'q"q', "é", "0", "1"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
values = st.recursive(
    scalars, lambda some: st.lists(some, max_size=4) | st.dictionaries(keys, some, max_size=4), max_leaves=12
)
records = st.one_of(
    st.lists(st.fixed_dictionaries({"id": scalars, "a": values}), max_size=20),
    st.lists(values, max_size=8),
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n ", " :\t")])
indents = st.sampled_from([None, None, 2])


@dataclass(frozen=True)
class Read:
    """All that reading a body comes to."""

    inner: bytes = b""  #: the parts without their brackets, joined by commas
    count: int = 0
    envelope: Envelope | None = None
    error: str | None = None


def read(reader: JsonReader, blocks: list[bytes]) -> Read:
    try:
        parts = [part for block in blocks for part in reader.feed(block)] + list(reader.close())
    except (Malformed, RecordsMissing, RecordsNotAnArray) as error:
        return Read(error=type(error).__name__)
    return Read(joined(parts), sum(part.count for part in parts), reader.envelope)


def joined(parts: list[Part]) -> bytes:
    return b",".join(bytes(part.array)[1:-1] for part in parts)


def whole(body: bytes, wanted: Wanted) -> Read:
    return read(JsonReader(wanted, PLACE, threshold=len(body)), [body])


def streamed(body: bytes, wanted: Wanted, cuts: list[int], part: int) -> Read:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    blocks = [body[start:end] for start, end in pairwise(edges)]
    return read(JsonReader(wanted, PLACE, threshold=-1, part=part), blocks)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Any, tuple[str, ...], list[Any]]:
    """A document, the pointer to its records, and the records."""
    found = document = draw(records)
    pointer: tuple[str, ...] = ()
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            key = draw(keys)
            members = draw(st.dictionaries(keys, values, max_size=3)) | {key: document}
            document, pointer = dict(draw(st.permutations(list(members.items())))), (key, *pointer)
        else:
            before, after = draw(st.lists(values, max_size=2)), draw(st.lists(values, max_size=2))
            document, pointer = [*before, document, *after], (str(len(before)), *pointer)
    return document, pointer, found


cuts = st.lists(st.integers(0, 10_000), max_size=12)
part_sizes = st.sampled_from([1, 2, 7, 30, 100, 1000])


@given(documents(), separators, indents, st.booleans(), cuts, part_sizes)
def test_any_array_anywhere_is_found_and_split_the_same_both_ways(case, separators, indent, ascii_only, cuts, part):
    document, pointer, expected = case
    body = json.dumps(document, separators=separators, indent=indent, ensure_ascii=ascii_only).encode()
    names = [name for name in ("total", "next") if pointer and pointer[0] != name]
    wanted = Wanted(pointer, **{name: (name,) for name in names})

    at_once, as_it_came = whole(body, wanted), streamed(body, wanted, cuts, part)

    assert at_once.error is None
    assert json.loads(b"[" + at_once.inner + b"]") == expected
    assert at_once.count == len(expected)
    assert told(at_once) == {name: document[name] for name in names if name in members(document)}
    assert as_it_came == at_once


@given(documents(), separators, st.data(), cuts, part_sizes)
def test_damaged_text_is_judged_the_same_both_ways(case, separators, data, cuts, part):
    document, pointer, _ = case
    body = bytearray(json.dumps(document, separators=separators).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(damage)

    at_once, as_it_came = whole(bytes(body), Wanted(pointer)), streamed(bytes(body), Wanted(pointer), cuts, part)

    assert as_it_came == at_once or (as_it_came.error == "RecordsNotAnArray" and body.count(b":") > 1)


damage = st.sampled_from(
    [b"", b",", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b"NaN", b"-", b"\xff", b" ", b"\n", b"null"]
)


def members(document: Any) -> dict[str, Any]:
    return document if isinstance(document, dict) else {}


def told(read: Read) -> dict[str, Any]:
    envelope = read.envelope or Envelope()
    return {
        name: json.loads(text)
        for name, text in (("total", envelope.total), ("next", envelope.next))
        if text is not None
    }


# a body that comes in blocks of its own choosing


def blocks(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def split(body: bytes, *, part: int, size: int = 64, **limits: Any) -> list[Part]:
    stream = JsonStream(Wanted(("data",)), PLACE, part=part, **limits)
    return [part for block in blocks(body, size) for part in stream.feed(block)] + list(stream.close())


def test_parts_are_about_as_long_as_they_are_meant_to_be():
    items = [{"id": number, "text": 'a seam: },{"id": no'} for number in range(1000)]
    body = json.dumps({"data": items}).encode()

    parts = split(body, part=2000)

    assert [record for part in parts for record in json.loads(bytes(part.array))] == items
    assert all(1000 < len(part.array) < 3000 for part in parts[:-2])


def test_records_that_hold_what_looks_like_records_are_not_cut():
    items = [{"id": number, "lines": [{"id": line} for line in range(20)]} for number in range(100)]
    body = json.dumps({"data": items, "included": [{"id": 1}, {"id": 2}]}).encode()

    parts = split(body, part=1500)

    assert [record for part in parts for record in json.loads(bytes(part.array))] == items
    assert len(parts) > 10


def test_a_record_that_no_parser_takes_is_split_off_with_its_neighbours_in_place():
    pieces = [b'{"id": %d}' % number for number in range(200)]
    pieces[77] = b'{"id": NaN, "deep": ' + b"[" * 3000 + b"]" * 3000 + b"}"

    parts = split(b'{"data": [' + b", ".join(pieces) + b"]}", part=500)

    assert [piece for part in parts for piece in jsontext.split(part.array)] == pieces
    assert sum(part.count for part in parts) == 200


def test_a_record_may_be_long_up_to_a_limit():
    body = json.dumps({"data": [{"id": 1}, {"text": "x" * 5000}]}).encode()

    assert sum(part.count for part in split(body, part=100, record_limit=10_000)) == 2
    with pytest.raises(RecordTooLarge, match="record 2 is longer than 1000 bytes"):
        split(body, part=100, record_limit=1000)


@pytest.mark.parametrize("beside", ["before", "zafter"])
def test_what_stands_beside_the_records_may_be_long_up_to_a_limit(beside):
    body = json.dumps({"data": [{"id": 1}] * 500, beside: "x" * 5000}, sort_keys=True).encode()

    assert sum(part.count for part in split(body, part=100, envelope_limit=6000)) == 500
    with pytest.raises(EnvelopeTooLarge, match="more than 4000 bytes beside its records"):
        split(body, part=100, envelope_limit=4000)


def test_records_that_are_there_twice_are_refused_where_the_first_have_been_given_away():
    twice = b'{"data": [1], "data": [2]}'

    assert whole(twice, Wanted(("data",))).inner == b"2"
    with pytest.raises(RecordsNotAnArray, match="there twice"):
        split(twice, part=100)


@pytest.mark.parametrize("body", [b"<html>", b"\0" * 10, b"posts", b"\xff\xfe[\x00]\x00"])
def test_what_begins_like_no_json_is_refused_at_once(body):
    stream = JsonStream(Wanted(), PLACE)

    with pytest.raises(Malformed):
        list(stream.feed(b"\xef\xbb\xbf \n" + body))


@pytest.mark.parametrize(
    ("body", "truncated"),
    [(b'{"data": [{"id": 1}, {"id"', True), (b'{"data": [], "next', True), (b'{"data": [] "next"}', False)],
)
def test_a_body_that_only_lacks_its_end_is_told_from_one_that_is_wrong(body, truncated):
    for part in (1, 1000):
        with pytest.raises(Malformed) as caught:
            split(body, part=part)
        assert caught.value.truncated is truncated


@pytest.mark.parametrize(
    ("pointer", "tokens"), [("", ()), ("/", ("",)), ("/a~1b/m~0n/0", ("a/b", "m~n", "0")), ("/~01", ("~1",))]
)
def test_pointers_are_read_as_the_standard_has_it(pointer, tokens):
    assert parse_pointer(pointer) == tokens
