"""What readers of a table see: pages, filters, search, streams and statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_service.load import reading
from etl_service.load.errors import QueryError
from etl_service.load.query import place_of, token
from etl_service.load.sqlite.dialect import SQLITE
from etl_service.load.store import Query, Row, Rows, Store, Table
from etl_service.model import Column

from .conftest import Loading, moment

ALL_TYPES = (
    Column("id", "integer"),
    Column("text", "text"),
    Column("number", "number"),
    Column("boolean", "boolean"),
    Column("timestamp", "timestamp"),
    Column("date", "date"),
    Column("json", "json"),
)
ONE = (1, "One", 1.5, True, "2026-01-31T12:00:00.000000Z", "2026-01-31", '{"a":1}')
TWO = (2, "Zwölf", -2.0, False, "2026-02-01T00:00:00.000000Z", "2026-02-01", "[1,2]")
EMPTY = (3, None, None, None, None, None, None)


@pytest.fixture
def read(store: Store) -> Callable[..., Rows]:
    def read(table: str = "posts", **query: Any) -> Rows:
        found = store.table(table)
        assert found is not None
        return store.rows(found, Query(**query))

    return read


def walk(read: Callable[..., Rows], limit: int, **query: Any) -> Iterator[Row]:
    """All rows, a page at a time."""
    after = None
    while True:
        page = read(limit=limit, after=after, **query)
        assert len(page.rows) <= limit
        yield from page.rows
        after = page.next
        if after is None:
            return


def ids(rows: Any) -> list[Any]:
    return [row[0] for row in (rows.rows if isinstance(rows, Rows) else rows)]


class TestPages:
    def test_a_page_is_in_the_order_of_the_key_and_says_how_to_go_on(
        self, load: Loading, read: Callable[..., Rows]
    ) -> None:
        load((3, "c"), (1, "a"), (2, "b"))

        first = read(limit=2)
        second = read(limit=2, after=first.next)

        assert ids(first) == [1, 2] and first.next is not None
        assert ids(second) == [3] and second.next is None

    def test_rows_come_with_the_moment_and_the_run_of_their_loading(
        self, load: Loading, read: Callable[..., Rows]
    ) -> None:
        load((1, "a"))

        page = read()

        assert [column.name for column in page.columns] == ["id", "title", "loaded_at", "run_id"]
        assert page.rows == [(1, "a", moment(1), "run-1")]

    def test_a_page_that_ends_with_the_table_has_no_next(self, load: Loading, read: Callable[..., Rows]) -> None:
        load((1, "a"), (2, "b"))

        assert read(limit=2).next is None

    def test_a_row_that_arrives_before_the_place_shifts_nothing(self, load: Loading, read: Callable[..., Rows]) -> None:
        load((10, "a"), (20, "b"), (30, "c"))
        first = read(limit=2)

        load((5, "new"))

        assert ids(read(limit=2, after=first.next)) == [30]

    def test_a_place_whose_row_is_gone_is_still_a_place(self, load: Loading, read: Callable[..., Rows]) -> None:
        load((10, "a"), (20, "b"), (30, "c"))
        first = read(limit=2)

        load((10, "a"), (30, "c"), mode="replace")

        assert ids(read(limit=2, after=first.next)) == [30]

    def test_a_table_without_a_key_is_read_as_it_arrived(self, load: Loading, read: Callable[..., Rows]) -> None:
        rows = [(3, "c"), (1, "a"), (2, None), (1, "a")]
        load(*rows, key=(), mode="append")

        assert [row[:2] for row in walk(read, 1)] == rows
        assert [row[:2] for row in walk(read, 3, order="desc")] == rows[::-1]

    def test_a_column_called_rowid_does_not_hide_the_order_of_arrival(
        self, load: Loading, read: Callable[..., Rows]
    ) -> None:
        columns = (Column("rowid", "integer"),)
        load((7,), (7,), (5,), columns=columns, key=(), mode="append")

        assert ids(walk(read, 1)) == [7, 7, 5]

    @pytest.mark.parametrize("sort", [None, "lang", "id", "title", "loaded_at"])
    @pytest.mark.parametrize("order", ["asc", "desc"])
    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        titles=st.dictionaries(
            st.tuples(st.sampled_from("xyz"), st.integers(0, 3)), st.none() | st.sampled_from("ab"), min_size=1
        ),
        limit=st.integers(1, 4),
    )
    def test_pages_of_any_size_in_any_order_are_all_rows_once(
        self,
        load: Loading,
        read: Callable[..., Rows],
        monkeypatch: pytest.MonkeyPatch,
        sort: str | None,
        order: str,
        titles: Any,
        limit: int,
    ) -> None:
        # given
        monkeypatch.setattr(reading, "_SAMPLE", 3)  # fewer than the rows, and for some pages too few
        columns = (Column("lang", "text"), Column("id", "integer"), Column("title", "text"))
        load(*((*key, title) for key, title in titles.items()), columns=columns, key=("lang", "id"), mode="replace")

        # when
        walked = list(walk(read, limit, sort=sort, order=order))

        # then
        assert walked == list(read(limit=None, sort=sort, order=order).rows)
        assert {row[:2]: row[2] for row in walked} == titles
        assert len(walked) == len(titles)

    @pytest.mark.parametrize(
        "bad",
        [
            "x",
            "%%%",
            "ä",
            token("title", "asc", ["a", 1]),
            token(None, "desc", [1]),
            token(None, "asc", [2**63]),
            "W10",
        ],
    )
    def test_a_token_that_is_not_of_these_rows_is_refused(
        self, load: Loading, read: Callable[..., Rows], bad: str
    ) -> None:
        load((1, "a"))

        with pytest.raises(QueryError) as refused:
            read(after=bad)

        assert refused.value.field == "after"

    @given(
        st.lists(
            st.integers(-(2**63), 2**63 - 1) | st.text() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
        )
    )
    def test_a_token_keeps_the_values_it_was_made_from(self, place: list[Any]) -> None:
        assert place_of(token("title", "desc", place), "title", "desc", len(place)) == place


class TestOrder:
    def test_nulls_come_first_and_last_when_turned_round(self, load: Loading, read: Callable[..., Rows]) -> None:
        load((1, "b"), (2, None), (3, "a"))

        assert ids(read(sort="title")) == [2, 3, 1]
        assert ids(read(sort="title", order="desc")) == [1, 3, 2]

    def test_an_unknown_column_is_refused_with_those_there_are(self, load: Loading, read: Callable[..., Rows]) -> None:
        load((1, "a"))

        with pytest.raises(QueryError, match="it has id, title, loaded_at, run_id") as refused:
            read(sort='title" DESC; --')

        assert refused.value.field == "sort"

    def test_an_unknown_order_is_refused(self, load: Loading, read: Callable[..., Rows]) -> None:
        load((1, "a"))

        with pytest.raises(QueryError, match="asc or desc"):
            read(order="up")


class TestFilters:
    @pytest.fixture(autouse=True)
    def rows(self, load: Loading) -> None:
        load(ONE, TWO, EMPTY, columns=ALL_TYPES)

    @pytest.mark.parametrize(
        ("column", "text"),
        [
            ("id", "1"),
            ("text", "One"),
            ("number", "1.5"),
            ("number", "15e-1"),
            ("boolean", "true"),
            ("boolean", "1"),
            ("timestamp", "2026-01-31T12:00:00Z"),
            ("timestamp", "2026-01-31T13:00:00+01:00"),
            ("timestamp", "2026-01-31 12:00"),
            ("date", "2026-01-31"),
            ("json", '{"a": 1}'),
            ("run_id", "run-1"),
        ],
    )
    def test_a_value_is_read_as_its_columns_type(self, read: Callable[..., Rows], column: str, text: str) -> None:
        assert ids(read(filters={column: text}))[0] == 1

    @pytest.mark.parametrize(
        ("column", "text"),
        [
            ("id", "one"),
            ("id", "1.0"),
            ("id", "9223372036854775808"),
            ("id", "1_0"),
            ("id", ""),
            ("number", "nan"),
            ("number", "1e999"),
            ("boolean", "yes"),
            ("timestamp", "yesterday"),
            ("timestamp", "0001-01-01T00:00:00+12:00"),
            ("date", "31.01.2026"),
            ("json", "{"),
        ],
    )
    def test_a_value_of_another_type_is_refused_with_an_example(
        self, read: Callable[..., Rows], column: str, text: str
    ) -> None:
        with pytest.raises(QueryError, match="write it like") as refused:
            read(filters={column: text})

        assert refused.value.field == column

    def test_filters_hold_together(self, read: Callable[..., Rows]) -> None:
        assert ids(read(filters={"boolean": "false", "id": "2"})) == [2]
        assert ids(read(filters={"boolean": "false", "id": "1"})) == []

    def test_values_are_bound(self, read: Callable[..., Rows]) -> None:
        assert ids(read(filters={"text": "' OR 1=1 --"})) == []

    def test_what_no_text_can_hold_is_not_found(self, store: Store, read: Callable[..., Rows]) -> None:
        assert ids(read(filters={"text": "One\0"})) == []
        assert ids(read(filters={"run_id": "run-1\0"})) == []
        assert store.run("run-1\0") is None
        found = store.table("posts")
        assert found and list(store.stream(found, Query(filters={"text": "\0"}))) == []

    def test_an_unknown_column_is_refused(self, read: Callable[..., Rows]) -> None:
        with pytest.raises(QueryError) as refused:
            read(filters={"colour": "red"})

        assert refused.value.field == "colour"

    def test_booleans_are_bool_and_nulls_stay(self, read: Callable[..., Rows]) -> None:
        assert [row[3] for row in read().rows] == [True, False, None]
        assert read().rows[0][3] is True

    def test_pages_of_what_matches(self, read: Callable[..., Rows]) -> None:
        assert ids(walk(read, 1, filters={"run_id": "run-1"}, sort="text", order="desc")) == [2, 1, 3]


class TestSearch:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("one", [1]),
            ("ZWÖLF", [2]),
            ("zWÖ", [2]),
            ('"A":', [1]),
            ("2026", []),
            ("%", [3]),
            ("0% _o", [3]),
            ("_", [3]),
            ("!", []),
            ("\0", []),
            ("run-1", []),
            ("' OR 1", []),
        ],
    )
    def test_text_is_found_in_text_and_json_without_regard_to_case(
        self, load: Loading, read: Callable[..., Rows], text: str, found: list[int]
    ) -> None:
        load(ONE, TWO, (3, "100% _OK", *EMPTY[2:]), columns=ALL_TYPES)

        assert ids(read(search=text)) == found

    def test_a_table_without_text_has_nothing_to_find(self, load: Loading, read: Callable[..., Rows]) -> None:
        load((1,), columns=(Column("id", "integer"),))

        assert ids(read(search="1")) == []

    def test_search_goes_on_over_pages(self, load: Loading, read: Callable[..., Rows]) -> None:
        load(*((number, "odd" if number % 2 else "even") for number in range(10)))

        assert ids(walk(read, 2, search="ODD")) == [1, 3, 5, 7, 9]


class TestStream:
    def test_all_that_match_come_whatever_the_limit(self, load: Loading, store: Store) -> None:
        load(*((number, f"post {number}") for number in range(50)))

        rows = list(store.stream(table_of(store), Query(limit=3, search="post 4", sort="id", order="desc")))

        assert ids(rows) == [*range(49, 39, -1), 4]

    def test_it_shows_the_table_as_it_was_when_it_began(self, load: Loading, store: Store) -> None:
        load(*((number, "old") for number in range(2000)))
        rows = store.stream(table_of(store), Query())
        first = next(rows)

        load((1, "new"), mode="replace")

        assert {row[1] for row in (first, *rows)} == {"old"}

    def test_it_can_be_left_half_way(self, load: Loading, store: Store) -> None:
        load((1, "a"), (2, "b"))
        rows = store.stream(table_of(store), Query())
        next(rows)

        rows.close()

        assert outcome_of_next_load(load) == 3


class TestStats:
    def test_rows_and_nulls_are_counted(self, load: Loading, store: Store) -> None:
        load(ONE, TWO, EMPTY, columns=ALL_TYPES)

        stats = store.stats(table_of(store))

        assert stats.rows == 3
        assert stats.nulls == {
            **dict.fromkeys(("id", "loaded_at", "run_id"), 0),
            **dict.fromkeys(("text", "number", "boolean", "timestamp", "date", "json"), 1),
        }
        assert stats.fresh_at == moment(1)
        assert stats.bytes > 0

    def test_an_empty_table_is_as_fresh_as_nothing(self, load: Loading, store: Store) -> None:
        load((1, "a"))
        load(mode="replace", allow_empty=True)

        stats = store.stats(table_of(store))

        assert (stats.rows, stats.fresh_at) == (0, None)


class TestPlans:
    """What a page costs, seen from SQLite's own plan."""

    KEYED = Table(
        "t", "default/t", (Column("lang", "text"), Column("id", "integer"), Column("title", "text")), ("lang", "id")
    )

    @pytest.mark.parametrize("key", [("id",), ("lang", "id"), ()])
    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_a_page_by_the_key_is_found_without_sorting_or_skipping(self, key: tuple[str, ...], order: Any) -> None:
        table = replace(self.KEYED, key=key)
        primary = f", PRIMARY KEY ({', '.join(key)})" if key else ""
        after = token(None, order, [1] * max(len(key), 1))
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute(f"CREATE TABLE t (lang TEXT NOT NULL, id INTEGER NOT NULL, title TEXT{primary}) STRICT")
            statements: list[str] = []
            connection.set_trace_callback(statements.append)

            reading.rows(connection, SQLITE, table, Query(after=after, order=order))

            connection.set_trace_callback(None)
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
        assert len(steps) == 1 and steps[0].startswith("SEARCH t USING")


def table_of(store: Store) -> Table:
    found = store.table("posts")
    assert found is not None
    return found


def outcome_of_next_load(load: Loading) -> int:
    load((3, "c"))
    return len(load.rows())
