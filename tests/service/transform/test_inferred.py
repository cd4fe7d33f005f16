"""Columns that nobody named."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_service.model import Batch, Chunk, Column
from etl_service.spec import ColumnType, Transform
from etl_service.spec.names import name_problem
from etl_service.transform import Transformer, compile_transform
from etl_service.transform.errors import NotAnArray, RecordRefused, TooManyColumns
from etl_service.transform.widening import widest


def inferring(*, key: tuple[str, ...] = (), known: dict[str, ColumnType] | None = None, **rest: Any) -> Transformer:
    columns = tuple(Column(name, type_) for name, type_ in (known or {}).items())
    return compile_transform(Transform.model_validate(rest), key=key, known=columns)


def load(transform: Transformer, records: Any) -> Batch:
    array = records if isinstance(records, bytes) else json.dumps(records).encode()
    return transform(Chunk("https://source", 1, 0, array))


def types(transform: Transformer | Batch) -> dict[str, ColumnType]:
    return {column.name: column.type for column in transform.columns}


def test_every_field_is_a_column_in_the_order_in_which_they_come() -> None:
    transform = inferring()

    batch = load(transform, [{"userId": 1, "title": "a"}, {"id": 5, "userId": 2}])

    assert types(batch) == {"user_id": "integer", "title": "text", "id": "integer"}
    assert list(batch.rows) == [(1, "a", None), (2, None, 5)]


def test_new_fields_add_columns_and_new_values_widen_them() -> None:
    transform = inferring()

    first = load(transform, [{"a": 1}])
    second = load(transform, [{"a": 2.5, "b": True}])
    third = load(transform, [{"a": 3}])

    assert [types(batch) for batch in (first, second, third)] == [
        {"a": "integer"},
        {"a": "number", "b": "boolean"},
        {"a": "number", "b": "boolean"},
    ]
    assert [*first.rows, *second.rows, *third.rows] == [(1,), (2.5, True), (3.0, None)]
    assert transform.columns == third.columns


def test_a_column_starts_as_the_table_has_it_and_only_widens() -> None:
    transform = inferring(known={"id": "integer", "at": "timestamp", "gone": "date", "run_id": "text"})

    batch = load(transform, [{"at": "2024-01-31", "id": "x", "new": None}])

    assert types(batch) == {"id": "text", "at": "timestamp", "gone": "date"}
    assert list(batch.rows) == [("x", "2024-01-31T00:00:00.000000Z", None)]


def test_a_field_that_was_never_anything_but_null_is_no_column_yet() -> None:
    transform = inferring()

    assert types(load(transform, [{"a": 1, "b": None}])) == {"a": "integer"}
    assert types(load(transform, [{"a": 1, "b": "x"}])) == {"a": "integer", "b": "text"}


def test_a_number_in_a_column_of_text_keeps_its_digits() -> None:
    batch = load(inferring(), b'[{"a": "x"}, {"a": 1.10}, {"a": 123456789012345678901}, {"a": 1e400}, {"a": true}]')

    assert [row[0] for row in batch.rows] == ["x", "1.10", "123456789012345678901", "1e400", "true"]


def test_numbers_that_only_text_can_hold_are_no_trouble_deep_inside() -> None:
    batch = load(inferring(), b'[{"a": [1e400], "b": {"c": 1e400}, "d": 1}]')

    assert types(batch) == {"a": "json", "b": "json", "d": "integer"}
    assert list(batch.rows) == [("[1e400]", '{"c":1e400}', 1)]


def test_names_are_the_same_from_run_to_run() -> None:
    first = inferring()
    load(first, [{"userId": 1, "user_id": 2}])

    second = inferring(known=types(first))

    for record in ({"user_id": 2, "userId": 1}, {"userId": 1, "user_id": 2}):
        assert list(load(second, [record]).rows) == list(load(first, [record]).rows)


def test_names_are_matched_as_sql_matches_them() -> None:
    new = load(inferring(key=("ID",), known={"Title": "text"}), [{"id": 1, "title": "a"}])
    old = load(inferring(key=("ID",), known={"id": "integer"}), [{"Id": 1}, {"id": None}])

    assert (types(new), list(new.rows)) == ({"Title": "text", "ID": "integer"}, [("a", 1)])
    assert (types(old), list(old.rows), old.rejects[0].reason) == ({"id": "integer"}, [(1,)], "Required")


def test_a_record_without_its_key_is_rejected() -> None:
    batch = load(inferring(key=("id",)), [{"id": 1}, {"id": None, "a": 2}, {"a": 3}])

    assert list(batch.rows) == [(1, None)]
    assert [(reject.index, reject.field, reject.reason) for reject in batch.rejects] == [
        (1, "id", "Required"),
        (2, "id", "Required"),
    ]


def test_where_no_record_has_the_key_all_are_rejected() -> None:
    batch = load(inferring(key=("id",)), [{"a": 2}, {"a": 3}])

    assert types(batch) == {"a": "integer"}
    assert [(reject.field, reject.reason) for reject in batch.rejects] == [("id", "Required")] * 2


def test_what_is_no_record_is_rejected_and_its_neighbours_are_loaded() -> None:
    records = b'[{"a": 1}, 5, {"a": NaN}, {"b": "\xff"}, {"b": "\\ud800"}, {"b": "x\\u0000"}, {"c": 2}]'

    batch = load(inferring(), records)

    assert types(batch) == {"a": "integer", "b": "text", "c": "integer"}
    assert list(batch.rows) == [(1, None, None), (None, None, 2)]
    assert [reject.reason for reject in batch.rejects] == [
        *("NotAnObject", "InvalidJson", "InvalidText", "InvalidText", "TextHasNul")
    ]


def test_on_error_is_obeyed() -> None:
    assert load(inferring(onError="skip"), [{"a": 1}, 5]).skipped == 1
    with pytest.raises(RecordRefused, match="record 1 of page 1"):
        load(inferring(onError="fail"), [{"a": 1}, 5])


def test_objects_whose_keys_are_data_are_refused() -> None:
    with pytest.raises(TooManyColumns, match="more than 1000; name the columns"):
        load(inferring(), [{f"day {n}": n for n in range(1001)}])


def test_what_is_no_array_ends_the_run() -> None:
    for array in (b'{"a": 1}', b"[", b"null"):
        with pytest.raises(NotAnArray):
            load(inferring(), array)


def test_records_without_fields_are_rows_without_columns() -> None:
    batch = load(inferring(), [{}, {}])

    assert (batch.columns, list(batch.rows)) == ((), [(), ()])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("integer", "integer", "integer"),
        ("integer", "number", "number"),
        ("integer", "text", "text"),
        ("integer", "boolean", "text"),
        ("integer", "date", "text"),
        ("number", "timestamp", "text"),
        ("date", "timestamp", "timestamp"),
        ("boolean", "boolean", "boolean"),
        ("boolean", "json", "json"),
        ("text", "json", "json"),
    ],
)
def test_two_types_widen_to_the_narrowest_that_takes_both(
    one: ColumnType, other: ColumnType, expected: ColumnType
) -> None:
    assert widest(one, other) == widest(other, one) == expected


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 - 1, 2**63, -(2**63), 2**64, 12.0])
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["2024-01-31", "2024-01-31T12:00:00Z", "2024-01-31T12:00:00+02:00", "2024-02-30", "", "12"])
    | st.sampled_from(["0001-01-01T00:00:00+01:00", "2024-01-31T12:00:00", "2024-01-31T12:00:00.1234567Z"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=3,
)
keys = st.sampled_from(["id", "ID", "userId", "user_id", "order", "run_id", "é", "a b", 'q"', ""]) | st.text(max_size=3)
pages = st.lists(st.lists(st.dictionaries(keys, values, max_size=4), max_size=4), max_size=4)

Pages = list[list[dict[str, Any]]]
FORMS = {
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "text": re.compile(r"[^\0]*", re.DOTALL),
}
PYTHON = {"integer": int, "number": float, "boolean": bool}


def conforms(value: object, type_: ColumnType) -> bool:
    if value is None:
        return True
    if type_ in PYTHON:
        return type(value) is PYTHON[type_] and (type_ != "integer" or -(2**63) <= value < 2**63)  # type: ignore[operator]
    assert isinstance(value, str)
    if type_ == "json":
        return json.loads(value) is not None
    return bool(FORMS[type_].fullmatch(value))


@given(pages, st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_objects_become_rows_of_the_columns_that_the_batch_says(pages: Pages, ascii_only: bool) -> None:
    transform = inferring()
    before: dict[str, ColumnType] = {}
    for page in pages:
        batch = load(transform, json.dumps(page, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))

        assert (len(batch.rows), batch.fetched) == (len(page), len(page))
        assert all(conforms(value, c.type) for row in batch.rows for value, c in zip(row, batch.columns, strict=True))
        assert all(name_problem(column.name, "column") is None for column in batch.columns)
        after = types(batch)
        assert len({name.lower() for name in after}) == len(after)
        assert all(widest(type_, after[name]) == after[name] for name, type_ in before.items())
        assert list(after)[: len(before)] == list(before)
        before = after


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "userId"]), values), max_size=8), st.integers(0, 8))
@settings(max_examples=200, deadline=None)
def test_the_types_do_not_depend_on_how_records_are_cut_into_chunks(records: list[dict[str, Any]], cut: int) -> None:
    whole, parts = inferring(), inferring()

    load(whole, records)
    load(parts, records[cut:])
    load(parts, records[:cut])

    assert types(whole) == types(parts)


@given(st.lists(values | st.dictionaries(keys, values | st.just("\0") | st.just("\ud800")), max_size=6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_record_is_accounted_for(records: list[Any], skip: bool) -> None:
    batch = load(inferring(key=("id",), onError="skip" if skip else "quarantine"), records)

    assert len(batch.rows) + len(batch.rejects) + batch.skipped == batch.fetched == len(records)
