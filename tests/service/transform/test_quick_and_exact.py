"""Reading a chunk as a whole gives what reading its records one by one gives, whatever they are."""

from __future__ import annotations

import json
from typing import Any, get_args

from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st

from etl_service.model import Chunk
from etl_service.spec import Clean, ColumnType, OnError, Transform
from etl_service.transform import compile_transform
from etl_service.transform.apart import UNSURE
from etl_service.transform.errors import Unfit
from etl_service.transform.fields import Row, read_record
from etl_service.transform.mapped import mapped_fields
from etl_service.transform.typed import typed_reader

Columns = list[dict[str, Any]]
Outcome = tuple[list[Row], list[tuple[Any, ...]]]

KEYS = ["a", "b", "c", "0", "1", "é", "x/y", "q~", "with space", "€", 'quo"te', "back\\slash", ""]
NUMBERS = (
    "0 -0 -0.0 1 12 -7 12.0 12.5 1e3 1E-2 1e400 1e-400 9223372036854775807 9223372036854775808 -9223372036854775808 "
    "-9223372036854775809 18446744073709551616 9007199254740993 123456789012345678901234567890 1706702400 1706702400.5 "
    "1706702400000 20240131 2024 253402300800 NaN -Infinity 01 1."
).split()
TIMES = [
    *("2024-01-31", "2024-01-31T12:00:00Z", "2024-01-31T12:00:00.5+02:00", "2024-02-30", "20240131", "1706702400"),
    *("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.999999999Z", "2024-01-31 12:00"),
]
TEXTS = [
    *("", "12", " 12 ", "12.5", "+5", "007", "true", "F", "yes", "n/a", "-", "NaN", "<p>a &amp; b</p>", "a  b\n"),
    *("ÉÀ", "e\u0301", "a\0b", "\ud800", "\udc00", "🌱", "\x1b", "\x85"),
    *TIMES,
]

# Columns, of any type and from anywhere.
cleaning = st.lists(st.sampled_from(get_args(Clean)), max_size=3)
pointers = st.lists(st.sampled_from(KEYS), max_size=3).map(
    lambda tokens: "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)
)


def columns(pointers: st.SearchStrategy[str]) -> st.SearchStrategy[Columns]:
    column = st.fixed_dictionaries(
        {
            "from": pointers,
            "type": st.sampled_from(get_args(ColumnType)),
            "required": st.booleans(),
            "clean": st.just([]) | cleaning,
        }
    )
    return st.lists(column, min_size=1, max_size=5).map(
        lambda given: [{**column, "name": f"column_{n}"} for n, column in enumerate(given)]
    )


# JSON text, some of it only nearly.
numbers = st.sampled_from(NUMBERS) | st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
texts = st.sampled_from(TEXTS) | st.text(max_size=8)
strings = st.builds(json.dumps, texts, ensure_ascii=st.booleans())
keys = st.builds(json.dumps, st.sampled_from(KEYS), ensure_ascii=st.booleans()) | st.sampled_from(
    [r'"\u0061"', r'"x\/y"']
)


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds("{}{}:{}".format, keys, st.sampled_from(["", "\n\t"]), values)
    return st.lists(members, max_size=5).map(lambda them: "{" + ",".join(them) + "}")


values = st.recursive(
    numbers | strings | st.sampled_from(["null", "true", "false", "nul"]),
    lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda them: "[" + ", ".join(them) + "]"),
    max_leaves=5,
)
records = (objects(values) | values).map(lambda text: text.encode("utf-8", "surrogatepass"))

# Records that mostly fit, in the usual form of each type.
USUAL: dict[ColumnType, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30),
    "text": st.sampled_from([text for text in TEXTS if text.isprintable()]) | st.text(),
    "boolean": st.booleans(),
    "timestamp": st.sampled_from(TIMES) | st.integers(-(10**9), 10**11),
    "date": st.sampled_from(TIMES) | st.integers(-(10**9), 10**11),
    "json": st.recursive(st.none() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=3),
}


@st.composite
def mappings_and_records(draw: st.DrawFn) -> tuple[Columns, list[bytes]]:
    mapping = draw(columns(st.sampled_from(["/a", "/b", "/c", "/d/e", "/d/f", "/d/g/h"])))
    records = []
    for _ in range(draw(st.integers(1, 4))):
        record: dict[str, Any] = {"ignored": draw(st.sampled_from([None, "é", {"a": ["\n"]}]))}
        for column in mapping:
            *way, last = column["from"].split("/")[1:]
            there = record
            for key in way:
                there = there.setdefault(key, {})
            there[last] = draw(USUAL[column["type"]] if column["required"] else st.none() | USUAL[column["type"]])
        records.append(json.dumps(record, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    return mapping, records


def together(columns: Columns, records: list[bytes], on_error: OnError) -> Outcome:
    transform = compile_transform(Transform.model_validate({"columns": columns, "onError": on_error}), key=())
    batch = transform(Chunk("https://source", 1, 0, b"[" + b",".join(records) + b"]"))
    assert batch.fetched == len(records)
    return list(batch.rows), [(r.index, r.field, r.reason, r.message, r.raw) for r in batch.rejects]


def one_by_one(columns: Columns, records: list[bytes]) -> Outcome:
    fields = mapped_fields(Transform.model_validate({"columns": columns}).columns or (), key=())
    rows, rejects = [], []
    for index, record in enumerate(records):
        try:
            rows.append(read_record(record, fields))
        except Unfit as unfit:
            rejects.append((index, unfit.field, unfit.reason, unfit.message, record))
    return rows, rejects


def with_types(rows: list[Row]) -> list[list[tuple[type, Any]]]:
    """True is 1, and 1 is 1.0, to Python."""
    return [[(type(value), value) for value in row] for row in rows]


TEXT = {"name": "a", "from": "/a", "type": "text"}


@given(columns(pointers), st.lists(records, max_size=20))
@example([TEXT], [b'{"a":"x"}', rb'{"\u0061":"y"}', rb'{"a":"x","\u0061":"y"}'])
@example([{**TEXT, "from": "/é"}], [rb'{"\u00e9":"y"}', '{"é":"x"}'.encode()])
@example([TEXT], [b'{"a":"x","b":"\xff"}', b'{"\xff":1}', rb'{"a":"x\u0000"}', b"", b'{"a"}'])
@example([{**TEXT, "type": "integer", "clean": ["milliseconds"]}], [b'{"a":5000}', b'{"a":5}'])
@example([{**TEXT, "from": "", "type": "json"}, {**TEXT, "name": "b"}], [b'{"a":"x"}', b'{ "0":1 }'])
@example([{**TEXT, "from": "/a/b"}], [b'{"a":null}', b'{"a":1}', b"{}", b'{"a":[1]}'])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_a_chunk_becomes_what_its_records_become(columns: Columns, records: list[bytes]) -> None:
    rows, rejects = one_by_one(columns, records)

    kept = together(columns, records, "quarantine")
    skipped = together(columns, records, "skip")

    assert with_types(kept[0]) == with_types(skipped[0]) == with_types(rows)
    assert (kept[1], skipped[1]) == (rejects, [])


@given(mappings_and_records())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_what_is_read_as_a_whole_is_what_its_records_become(given: tuple[Columns, list[bytes]]) -> None:
    columns, records = given
    read = typed_reader(mapped_fields(Transform.model_validate({"columns": columns}).columns or (), key=()))
    try:
        rows = read(b"[" + b",".join(records) + b"]")
    except UNSURE:
        reject()

    expected, rejects = one_by_one(columns, records)

    assert with_types(rows) == with_types(expected)
    assert rejects == []
