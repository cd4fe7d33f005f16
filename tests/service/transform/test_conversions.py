"""docs/conversions.md, run row by row."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from etl_service.model import Batch, Chunk, Column
from etl_service.spec import Clean, ColumnType, Transform
from etl_service.transform import compile_transform
from etl_service.transform.cleaning import PLACEHOLDERS, STEPS, clean_all, cleaner
from etl_service.transform.names import Names, column_name
from etl_service.transform.widening import WIDER

DOCUMENT = (Path(__file__).parents[3] / "docs" / "conversions.md").read_text(encoding="utf-8")

Cells = tuple[str, ...]


def table(heading: str) -> list[Cells]:
    """The rows of the first table under a heading; what a cell has in backticks, or else its text."""
    section = re.split(r"^#+ ", DOCUMENT.split(f"# {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [tuple(map(content, cells)) for cells in rows[2:]]


def content(cell: str) -> str:
    code = re.fullmatch(r"(rejected: )?`(.*)`", cell.strip())
    return f"{code[1] or ''}{code[2]}" if code else cell.strip()


CONVERSIONS: list[Cells] = [(type_, *row[:2]) for type_ in get_args(ColumnType) for row in table(type_)]


BARE_SCALARS = [row for row in CONVERSIONS if row[0] != "json" and re.match(r"-?[0-9]|true|false", row[1])]


def transformed(record: str, column: dict[str, Any]) -> Batch:
    transform = compile_transform(Transform.model_validate({"columns": [column]}), key=())
    return transform(Chunk("https://source", 1, 0, f"[{record}]".encode()))


def outcome(batch: Batch) -> object:
    if batch.rejects:
        return f"rejected: {batch.rejects[0].reason}"
    return batch.rows[0][0]


def documented(cell: str, type_: str) -> object:
    if cell.startswith("rejected: "):
        return cell
    if cell in ("null", "the empty text"):
        return {"null": None, "the empty text": ""}[cell]
    return json.loads(cell) if type_ in ("integer", "number", "boolean") else cell


@pytest.mark.parametrize(("type_", "given", "expected"), CONVERSIONS)
def test_a_value_is_converted_as_documented(type_: str, given: str, expected: str) -> None:
    batch = transformed(f'{{"field": {given}}}', {"name": "field", "type": type_})

    assert outcome(batch) == documented(expected, type_)
    assert type(outcome(batch)) is type(documented(expected, type_))
    assert all(reject.field == "field" for reject in batch.rejects)


@pytest.mark.parametrize(("type_", "given", "expected"), BARE_SCALARS)
def test_a_number_and_the_text_of_it_are_the_same(type_: str, given: str, expected: str) -> None:
    batch = transformed(f'{{"field": "{given}"}}', {"name": "field", "type": type_})

    assert outcome(batch) == documented(expected, type_)


@pytest.mark.parametrize("type_", get_args(ColumnType))
@pytest.mark.parametrize("record", ['{"field": null}', "{}", '{"other": 1}'])
def test_null_and_missing_are_null(type_: str, record: str) -> None:
    assert outcome(transformed(record, {"name": "field", "type": type_})) is None


@pytest.mark.parametrize("type_", get_args(ColumnType))
@pytest.mark.parametrize("record", ['{"field": null}', "{}"])
def test_null_where_something_is_required_is_rejected(type_: str, record: str) -> None:
    batch = transformed(record, {"name": "field", "type": type_, "required": True})

    assert (outcome(batch), batch.rejects[0].field) == ("rejected: Required", "field")


@pytest.mark.parametrize(("record", "expected"), [row[:2] for row in table("A record as a whole")])
def test_a_record_as_a_whole_is_read_as_documented(record: str, expected: str) -> None:
    batch = transformed(record, {"name": "id", "type": "integer"})

    assert outcome(batch) == documented(expected, "integer")
    assert all(reject.field is None for reject in batch.rejects)


@pytest.mark.parametrize(("step", "given", "expected"), [(row[0], *row[2:4]) for row in table("Cleaning")])
def test_a_cleaning_step_does_what_is_documented(step: Clean, given: str, expected: str) -> None:
    given, expected = json.loads(given), json.loads(expected)
    clean = cleaner([step])

    assert clean and clean(given) == expected
    assert clean_all([step], [given, None]) == [expected, None]


def test_every_cleaning_step_is_documented_and_can_be_named_in_a_document() -> None:
    assert [row[0] for row in table("Cleaning")] == list(STEPS) == list(get_args(Clean))


def test_every_placeholder_is_documented() -> None:
    [cell] = [row[1] for row in table("Cleaning") if row[0] == "placeholder_to_null"]

    assert set(re.findall("`(.+?)`", cell)) == PLACEHOLDERS


@pytest.mark.parametrize(("key", "expected"), [row[:2] for row in table("Names")])
def test_a_name_is_made_from_a_key_as_documented(key: str, expected: str) -> None:
    assert column_name(key) == expected


@pytest.mark.parametrize("keys", [["userId", "user_id"], ["user_id", "userId"]])
def test_of_two_keys_with_one_name_the_one_that_is_written_so_has_it(keys: list[str]) -> None:
    names = Names(())

    names.give(keys)

    assert (names["user_id"], names["userId"]) == ("user_id", "user_id_2")


@pytest.mark.parametrize(("values", "expected"), [row[:2] for row in table("Types")])
def test_a_type_is_inferred_as_documented(values: str, expected: ColumnType) -> None:
    given = json.loads(values)

    for order in (given, given[::-1]):
        transform = compile_transform(Transform(), key=())
        for value in order:  # a chunk for each, so that the column widens on the way
            batch = transform(Chunk("https://source", 1, 0, json.dumps([{"field": value}]).encode()))
            assert len(batch.rows) == 1
        assert transform.columns == (Column("field", expected),)


def test_every_type_has_its_table() -> None:
    assert {type_ for type_, *_ in CONVERSIONS} == set(get_args(ColumnType)) == {"json", *WIDER}
