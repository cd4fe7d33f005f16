"""Durations, sizes, pointers and names, row by row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_service.spec import ColumnSpec, Extract, Limits, RunSpec, Storage, name_problem
from etl_service.spec.words import SQL


def limits(**written: str) -> Limits:
    return Limits.model_validate_json(f'{{"{next(iter(written))}": "{next(iter(written.values()))}"}}')


@pytest.mark.parametrize(
    ("text", "duration", "written"),
    [
        ("30s", timedelta(seconds=30), "30s"),
        ("1h", timedelta(hours=1), "1h"),
        ("1h0m0s", timedelta(hours=1), "1h"),
        ("90s", timedelta(seconds=90), "1m30s"),
        ("1m30s", timedelta(seconds=90), "1m30s"),
        ("500ms", timedelta(milliseconds=500), "500ms"),
        ("1s500ms", timedelta(milliseconds=1500), "1s500ms"),
        ("00030s", timedelta(seconds=30), "30s"),
        ("3600s", timedelta(hours=1), "1h"),
    ],
)
def test_a_duration_is_read_and_written(text, duration, written):
    read = limits(timeout=text)

    assert read.timeout == duration
    assert read.model_dump(mode="json")["timeout"] == written
    assert limits(timeout=written) == read


@pytest.mark.parametrize(
    ("text", "size", "written"),
    [
        ("1", 1, "1"),
        ("1000", 1000, "1k"),
        ("1k", 1000, "1k"),
        ("1Ki", 1024, "1Ki"),
        ("1024", 1024, "1Ki"),
        ("500M", 500_000_000, "500M"),
        ("1Gi", 2**30, "1Gi"),
        ("1024Mi", 2**30, "1Gi"),
        ("2T", 2 * 10**12, "2T"),
        ("1Ti", 2**40, "1Ti"),
        ("1048577", 1_048_577, "1048577"),
    ],
)
def test_a_size_is_read_and_written(text, size, written):
    read = limits(maxBytes=text)

    assert read.max_bytes == size
    assert read.model_dump(mode="json")["max_bytes"] == written
    assert limits(maxBytes=written) == read


@given(st.timedeltas(timedelta(milliseconds=100), timedelta(hours=1)))
def test_every_duration_comes_back_to_the_millisecond(duration):
    written = Limits(timeout=duration).model_dump(mode="json")["timeout"]

    assert limits(timeout=written).timeout == duration // timedelta(milliseconds=1) * timedelta(milliseconds=1)


@given(st.integers(1, 2**50))
def test_every_size_comes_back(size):
    written = Storage(size=size).model_dump_json()

    assert Storage.model_validate_json(written).size == size


def test_a_value_made_in_python_keeps_to_the_same_bounds():
    for make in (
        lambda: Limits(timeout=timedelta(0)),
        lambda: Limits(max_bytes=0),
        lambda: RunSpec(deadline=timedelta(days=8)),
        lambda: Extract(url="https://user:hunter2@example.com/"),
    ):
        with pytest.raises(ValidationError) as refused:
            make()
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("pointer", ["", "/", "/a", "/a/b", "/0", "/a~0b~1c", "/ /é", "//", '/a"b', "/%41"])
def test_a_json_pointer_is_taken_as_it_is(pointer):
    assert Extract(url="sample:posts", records=pointer).records == pointer


def test_a_column_reads_the_field_of_its_own_name_where_none_is_said():
    assert ColumnSpec(name="user_id", type="integer").from_ == "/user_id"
    assert ColumnSpec(name="user_id", type="integer", from_="/userId").from_ == "/userId"


@pytest.mark.parametrize(
    "name",
    ["posts", "Posts", "_x", "p1", "name", "type", "key", "value", "date", "text", "year", "status", "count", "t" * 63],
)
def test_an_ordinary_name_is_taken(name):
    assert name_problem(name, "table") is None
    assert name_problem(name, "column") is None


def test_what_is_kept_from_tables_is_not_kept_from_columns():
    for name in ("stats", "etl_version", "pg_version", "index_name"):
        assert name_problem(name, "column") is None


#: All the words that SQLite 3.40 knows; of many it takes a name all the same.
SQLITE = """
    abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case
    cast check collate column commit conflict constraint create cross current current_date current_time
    current_timestamp database default deferrable deferred delete desc detach distinct do drop each else end escape
    except exclude exclusive exists explain fail filter first following for foreign from full generated glob group
    groups having if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key
    last left like limit match materialized natural no not nothing notnull null nulls of offset on or order others
    outer over partition plan pragma preceding primary query raise range recursive references regexp reindex release
    rename replace restrict returning right rollback row rows savepoint select set table temp temporary then ties to
    transaction trigger unbounded union unique update using vacuum values view virtual when where window with without
""".split()


def test_every_word_that_sqlite_does_not_take_bare_is_refused():
    def bare(word: str) -> bool:
        with closing(sqlite3.connect(":memory:")) as database:
            try:
                database.execute(f"CREATE TABLE {word} ({word} TEXT)")
                database.execute(f"SELECT t.{word} FROM {word} t WHERE {word} = 1")
            except sqlite3.OperationalError:
                return False
        return True

    assert [word for word in SQLITE if not bare(word) and word not in SQL] == []
