"""Rows of a table over REST."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import httpx
import pytest

from etl_service import runs
from etl_service.api.encoding import csv_rows, json_array
from etl_service.api.export import negotiated
from etl_service.model import Column
from etl_service.spec import parse_pipeline

from .conftest import POSTS, InProcess


def walk(posts: InProcess, path: str) -> list[dict[str, Any]]:
    """All pages, as their links lead from one to the next."""
    rows: list[dict[str, Any]] = []
    url = httpx.URL(f"http://localhost{path}")
    while True:
        answer = posts.get(str(url))
        rows += answer.json()
        if "next" not in answer.links:
            return rows
        url = url.join(answer.links["next"]["url"])


class TestPages:
    def test_ten_rows_come_unless_told(self, posts: InProcess) -> None:
        answer = posts.get("/posts")

        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert [row["id"] for row in answer.json()] == list(range(1, 11))
        assert list(answer.json()[0]) == ["id", "user_id", "title", "body", "loaded_at", "run_id"]

    def test_the_link_leads_through_all_rows(self, posts: InProcess) -> None:
        rows = walk(posts, "/posts?limit=40")

        assert len(rows) == 97
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)

    def test_the_link_keeps_what_was_asked_for(self, posts: InProcess) -> None:
        rows = walk(posts, "/api/posts?limit=2&user_id=3&sort=title&order=desc")

        assert {row["user_id"] for row in rows} == {3}
        assert len(rows) > 2
        assert [row["title"] for row in rows] == sorted((row["title"] for row in rows), reverse=True)

    def test_any_table_is_served_by_its_name(self, posts: InProcess) -> None:
        assert posts.get("/tables/posts").content == posts.get("/posts").content

    @pytest.mark.parametrize("name", ["nothing", "etl_runs", "sqlite_schema", "%00", "po%22sts", "posts%2F1"])
    def test_a_table_that_no_pipeline_made_is_not_found(self, posts: InProcess, name: str) -> None:
        answer = posts.get(f"/tables/{name}")

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"

    def test_before_the_first_run_the_own_table_is_empty(self, empty: InProcess) -> None:
        assert empty.get("/posts").json() == []
        assert empty.get("/posts?format=csv").text == ""
        assert empty.get("/tables/posts").json() == []

    @pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "", "99999999999", "٣"])
    def test_a_limit_out_of_range_is_refused(self, posts: InProcess, limit: str) -> None:
        answer = posts.get("/posts", params={"limit": limit})

        assert answer.status_code == 422
        assert answer.json()["field"] == "limit"

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("colour=red", "colour"),
            ("id=one", "id"),
            ("sort=colour", "sort"),
            ("order=up", "order"),
            ("after=nonsense", "after"),
            ("format=xml", "format"),
            ("id=1&id=2", "id"),
        ],
    )
    def test_a_parameter_that_cannot_be_is_named(self, posts: InProcess, query: str, field: str) -> None:
        answer = posts.get(f"/posts?{query}")

        assert (answer.status_code, answer.json()["field"]) == (422, field)

    @pytest.mark.parametrize("format", ["csv", "ndjson"])
    def test_what_a_stream_cannot_be_is_told_before_it_begins(self, posts: InProcess, format: str) -> None:
        assert posts.get(f"/posts?format={format}&sort=colour").status_code == 422

    def test_search_finds_text(self, posts: InProcess) -> None:
        rows = walk(posts, "/posts?q=HARBOUR&limit=50")

        assert rows and all("harbour" in f"{row['title']} {row['body']}".lower() for row in rows)


class TestFormats:
    @pytest.mark.parametrize("ask", [{"params": {"format": "csv"}}, {"headers": {"accept": "text/csv"}}])
    def test_csv_has_a_header_and_all_rows(self, posts: InProcess, ask: dict[str, Any]) -> None:
        answer = posts.get("/posts", **ask)

        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="posts.csv"'
        header, *rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        assert header == ["id", "user_id", "title", "body", "loaded_at", "run_id"]
        assert len(rows) == 97

    @pytest.mark.parametrize(
        "ask", [{"params": {"format": "ndjson"}}, {"headers": {"accept": "application/x-ndjson, */*;q=0.1"}}]
    )
    def test_ndjson_has_a_line_for_each_row(self, posts: InProcess, ask: dict[str, Any]) -> None:
        answer = posts.get("/posts", **ask)

        assert answer.headers["content-type"] == "application/x-ndjson"
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert rows == posts.get("/posts?limit=1000").json()

    def test_a_stream_takes_filters_order_and_a_limit(self, posts: InProcess) -> None:
        lines = posts.get("/posts?format=ndjson&user_id=3&order=desc&limit=3").text.splitlines()

        rows = [json.loads(line) for line in lines]
        assert [row["user_id"] for row in rows] == [3, 3, 3]
        assert rows[0]["id"] > rows[-1]["id"]

    @pytest.mark.parametrize(
        ("accept", "format"),
        [
            (None, "json"),
            ("*/*", "json"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
            ("text/csv", "csv"),
            ("application/json;q=0.5, text/csv;q=0.9", "csv"),
            ("application/x-ndjson;q=0, application/json", "json"),
            ("text/csv;q=many", "json"),
            (",;=", "json"),
        ],
    )
    def test_the_format_is_what_accept_likes_best(self, accept: str | None, format: str) -> None:
        assert negotiated(accept) == format

    @pytest.mark.parametrize(
        ("value", "cell"),
        [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", '"\'\rx"'),
            ("a=b", "a=b"),
            (-1, "-1"),
            (-1.5, "-1.5"),
            (True, "true"),
            (None, ""),
            ('say "x", y', '"say ""x"", y"'),
        ],
    )
    def test_a_cell_that_a_spreadsheet_would_run_is_made_text(self, value: Any, cell: str) -> None:
        encode = csv_rows((Column("a", "text"), Column("b", "integer")))

        assert encode([(value, 0)]).decode() == f"{cell},0\r\n"

    def test_json_columns_come_as_json(self) -> None:
        columns = (Column("id", "integer"), Column("tags", "json"))

        encoded = json_array(columns, [(1, '{"a":[1,null]}'), (2, None)])

        assert json.loads(encoded) == [{"id": 1, "tags": {"a": [1, None]}}, {"id": 2, "tags": None}]


def test_two_pipelines_in_one_database_have_a_table_each(posts: InProcess) -> None:
    other = parse_pipeline(POSTS.replace("name: posts}", "name: others}").replace("table: posts", "table: others"))
    asyncio.run(runs.run(other, posts.store, trigger="cli", world=posts.service.world))

    assert len(posts.get("/tables/others?limit=1000").json()) == 97
    assert len(posts.get("/etl/runs").json()) == 1
