"""Columns that the document names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl_service.errors import TransformError
from etl_service.model import Batch, Chunk, Column
from etl_service.spec import Transform
from etl_service.transform import compile_transform
from etl_service.transform.errors import NotAnArray, RecordRefused

ID = {"name": "id", "type": "integer"}


def load(columns: list[dict[str, Any]], records: Any, *, key: tuple[str, ...] = (), **rest: Any) -> Batch:
    array = records if isinstance(records, bytes) else json.dumps(records).encode()
    transform = compile_transform(Transform.model_validate({"columns": columns, **rest}), key=key)
    return transform(Chunk("https://source/posts", 3, 40, array))


def column(source: str, type_: str = "text", **rest: Any) -> dict[str, Any]:
    return {"name": "field", "from": source, "type": type_, **rest}


def field_of(records: list[Any], source: str, type_: str = "text", **rest: Any) -> list[Any]:
    return [row[0] for row in load([column(source, type_, **rest)], records).rows]


def test_rows_have_the_columns_in_the_order_of_the_document() -> None:
    columns = [{"name": "title", "type": "text"}, ID]

    batch = load(columns, [{"id": 1, "title": "a"}, {"title": "b", "id": 2}])

    assert batch.columns == (Column("title", "text"), Column("id", "integer"))
    assert list(batch.rows) == [("a", 1), ("b", 2)]


def test_nothing_comes_of_no_records() -> None:
    assert load([ID], []).fetched == 0


def test_a_pointer_reaches_into_objects() -> None:
    records = [{"a": {"b": {"c": "x"}}}, {"a": {"b": None}}, {"a": {}}, {"a": None}, {}, {"a": "text"}, {"a": ["x"]}]

    assert field_of(records, "/a/b/c") == ["x", None, None, None, None, None, None]


def test_a_pointer_reaches_into_arrays() -> None:
    records = [{"tags": ["x", "y"]}, {"tags": ["x"]}, {"tags": []}, {"tags": {"1": "key"}}, {"tags": "xy"}]

    assert field_of(records, "/tags/1") == ["y", None, None, "key", None]
    assert field_of(records, "/tags/01") == [None] * 5  # RFC 6901: no leading zeros
    assert field_of([{"rows": [[1, {"x": 5}]]}], "/rows/0/1/x", "integer") == [5]


@pytest.mark.parametrize("key", ["a/b", "m~n", "~1", "é", "", " ", 'quo"te', "back\\slash", "0", "x.y", "\t"])
def test_a_pointer_can_name_any_key(key: str) -> None:
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")

    for ascii_only in (True, False):
        array = json.dumps([{key: "x"}, {"other": {key: "y"}}], ensure_ascii=ascii_only).encode()
        columns = [column(pointer), {**column("/other" + pointer), "name": "deeper"}]
        assert list(load(columns, array).rows) == [("x", None), (None, "y")]


def test_the_empty_pointer_is_the_record() -> None:
    batch = load([ID, column("", "json")], b'[{"id": 1, "x": [1.10]}]')

    assert list(batch.rows) == [(1, '{"id":1,"x":[1.10]}')]


def test_columns_can_share_a_place() -> None:
    columns = [
        {"name": "whole", "from": "/a", "type": "json"},
        {"name": "part", "from": "/a/b", "type": "integer"},
        {"name": "again", "from": "/a/b", "type": "text"},
    ]

    assert list(load(columns, [{"a": {"b": 1}}, {"a": None}]).rows) == [('{"b":1}', 1, "1"), (None, None, None)]


def test_steps_of_cleaning_come_in_order_and_before_the_conversion() -> None:
    records = [{"a": " 12 "}, {"a": "n/a"}, {"a": 5}]

    assert field_of(records, "/a", "integer", clean=["strip", "placeholder_to_null"]) == [12, None, 5]
    assert field_of([{"a": "<p> </p>"}], "/a", clean=["strip_html", "empty_to_null"]) == [None]
    assert field_of([{"a": "<p> </p>"}], "/a", clean=["empty_to_null", "strip_html"]) == [""]


def test_a_timestamp_in_milliseconds_can_be_cleaned() -> None:
    records = [{"a": 1706702400250}, {"a": "1706702400250"}]

    assert field_of(records, "/a", "timestamp", clean=["milliseconds"]) == ["2024-01-31T12:00:00.250000Z"] * 2


def test_text_in_json_is_cleaned_objects_are_not() -> None:
    assert field_of([{"a": " x "}, {"a": {"b": " x "}}, {"a": 1}], "/a", "json", clean=["strip"]) == [
        '"x"',
        '{"b":" x "}',
        "1",
    ]


def test_nul_can_be_cleaned_away() -> None:
    assert field_of([{"a": "x\0y"}], "/a", clean=["strip_control"]) == ["xy"]


def test_a_record_that_does_not_fit_is_kept_as_it_came_with_the_place_and_the_reason() -> None:
    batch = load([ID], b'[{"id": 1}, { "id" : "12.5"}, {"id": 3}]')

    [reject] = batch.rejects
    assert list(batch.rows) == [(1,), (3,)]
    assert (reject.url, reject.page, reject.index) == ("https://source/posts", 3, 41)
    assert (reject.field, reject.reason, reject.raw) == ("id", "NotAnInteger", b'{ "id" : "12.5"}')
    assert reject.message == '"12.5" has a fraction; load it as number'


def test_a_record_is_rejected_for_the_first_column_that_does_not_fit() -> None:
    columns = [{"name": "at", "type": "date"}, ID]

    assert [r.field for r in load(columns, [{"id": "x", "at": "y"}, {"id": "x"}]).rejects] == ["at", "id"]


def test_a_bad_record_among_many_costs_only_itself() -> None:
    records: list[Any] = [{"id": n} for n in range(100)]
    records[37], records[99] = {"id": "x"}, 5

    batch = load([ID], records)

    assert [row[0] for row in batch.rows] == [n for n in range(100) if n not in (37, 99)]
    assert [reject.index for reject in batch.rejects] == [77, 139]


def test_a_key_is_required_like_a_column_that_says_so() -> None:
    columns: list[dict[str, Any]] = [
        {"name": "Id", "from": "/id", "type": "integer"},
        {"name": "at", "type": "date", "required": True},
    ]

    batch = load(columns, [{"at": "2024-01-31"}, {"id": 1}, {"id": 2, "at": ""}], key=("id",))

    assert [(reject.field, reject.reason) for reject in batch.rejects] == [
        ("Id", "Required"),
        ("at", "Required"),
        ("at", "Required"),
    ]


def test_skipped_records_are_counted() -> None:
    batch = load([ID], [{"id": 1}, {"id": "x"}, None], onError="skip")

    assert (list(batch.rows), batch.rejects, batch.skipped, batch.fetched) == ([(1,)], [], 2, 3)


def test_the_first_bad_record_fails_the_run_where_the_document_says_so() -> None:
    with pytest.raises(RecordRefused) as refused:
        load([ID], [{"id": 1}, {"id": "x"}], onError="fail")

    assert isinstance(refused.value, TransformError)
    assert (refused.value.reason, refused.value.field) == ("RecordRefused", "id")
    assert refused.value.message == (
        'record 41 of page 3 (https://source/posts) does not fit, NotAnInteger: column id: "x" is no integer; '
        "clean it, or load it as text; mend the mapping, or let transform.onError be quarantine"
    )


def test_a_record_that_is_not_utf_8_is_rejected_even_if_no_column_needs_the_text() -> None:
    batch = load([ID], b'[{"id": 1}, {"id": 2, "x": "\xff"}, {"\xff": 1}]')

    assert [(reject.index, reject.field, reject.reason) for reject in batch.rejects] == [
        (41, None, "InvalidText"),
        (42, None, "InvalidText"),
    ]


@pytest.mark.parametrize("deep", [b"[" * 5000 + b"]" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000])
@pytest.mark.parametrize("key", [b"id", b"x"])
def test_a_record_that_is_nested_too_deep_is_rejected(deep: bytes, key: bytes) -> None:
    batch = load([{"name": "id", "type": "json"}], b'[{"id": 1}, {"' + key + b'": ' + deep + b"}]")

    assert list(batch.rows) == [("1",)]
    assert [reject.reason for reject in batch.rejects] == ["NestedTooDeep"]


def test_ordinary_nesting_is_no_trouble() -> None:
    deep = b"[" * 100 + b"]" * 100

    assert field_of(json.loads(b'[{"x": ' + deep + b"}]"), "/x", "json") == [deep.decode()]


@pytest.mark.parametrize("array", [b"", b"null", b'{"id": 1}', b'[{"id": 1}', b"[{]", b"<html>"])
def test_what_is_no_array_ends_the_run(array: bytes) -> None:
    with pytest.raises(NotAnArray, match=r"page 3 of https://source/posts .* check extract.records"):
        load([ID], array)


def test_a_chunk_may_be_a_view_of_memory() -> None:
    transform = compile_transform(Transform.model_validate({"columns": [ID]}), key=())

    for array in (b'[{"id": 1}]', b'[{"id": "1"}]'):
        batch = transform(Chunk("https://source", 1, 0, memoryview(b"..." + array + b"...")[3:-3]))
        assert list(batch.rows) == [(1,)]


def test_a_replayed_record_keeps_the_time_it_was_fetched() -> None:
    transform = compile_transform(Transform.model_validate({"columns": [ID]}), key=())

    batch = transform(Chunk("https://source", 1, 0, b'[{"id": 1}, {"id": "x"}]', fetched_at="then"))

    assert batch.fetched_at == batch.rejects[0].fetched_at == "then"
    assert transform(Chunk("https://source", 1, 0, b'[{"id": 1}]', fetched_at="then")).fetched_at == "then"


def test_a_long_value_is_not_repeated_whole_in_the_message() -> None:
    [reject] = load([ID], [{"id": "x" * 10_000}]).rejects

    assert len(reject.message) < 200
    assert len(reject.raw) > 10_000
