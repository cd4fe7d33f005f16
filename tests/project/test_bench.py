"""The benchmark measures what it says; its figures are for `make bench`."""

from __future__ import annotations

import sqlite3

import httpx
import pytest

from bench import clients, measures
from bench.results import Result, table
from bench.source import array
from bench.workshop import bare, differ, serve_plainly, source, workshop


@pytest.fixture
def shop():
    with workshop() as shop:
        yield shop


def test_the_source_serves_the_same_posts_as_one_array_and_in_linked_pages():
    with source(25) as url:
        whole = httpx.get(f"{url}/posts")
        pages = [httpx.get(f"{url}/posts?_page={page}&_limit=10") for page in (1, 2, 3)]

    assert whole.content == array(25)
    assert [post for page in pages for post in page.json()] == whole.json()
    assert [page.links.get("next", {}).get("url") for page in pages] == [
        "/posts?_page=2&_limit=10",
        "/posts?_page=3&_limit=10",
        None,
    ]
    assert {page.headers["X-Total-Count"] for page in pages} == {"25"}


def test_a_post_has_264_bytes():
    assert {len(array(rows)) for rows in (1, 2, 3)} == {266, 531, 796}


def test_the_bare_script_and_the_plain_endpoint_serve_the_posts(shop):
    database = shop.database()
    with source(100) as url:
        bare(url, database)
        posts = httpx.get(f"{url}/posts").json()

    with serve_plainly(database) as plain:
        rows = httpx.get(f"{plain}/posts?limit=3").json()
        rate = clients.requests_per_second(f"{plain}/posts?limit=3", seconds=0.1, clients=2)

    assert [(row["id"], row["user_id"]) for row in rows] == [(post["id"], post["userId"]) for post in posts[:3]]
    assert rate > 0


def test_the_engine_and_the_bare_script_load_the_same_rows(shop):
    with source(100) as url:
        measures.same_rows(shop, url)


def test_the_engine_and_the_bare_script_load_the_same_rows_into_postgresql(shop, postgres, monkeypatch):
    monkeypatch.setenv("POSTGRES_DSN", postgres.dsn())
    with source(100) as url:
        measures.same_rows_in_postgres(shop, url, postgres)


def test_databases_that_differ_in_one_post_are_told_apart(shop):
    one, other = shop.database(), shop.database()
    with source(10) as url:
        bare(url, one)
        bare(url, other)
    with sqlite3.connect(other) as connection:
        connection.execute("UPDATE posts SET title = 'new' WHERE rowid = (SELECT max(rowid) FROM posts)")

    assert differ(one, other)


def test_a_missed_goal_is_called_so():
    results = [
        Result("speed", "7/s", "10/s", 0.7, at_least=0.7),
        Result("memory", "150 MB", "1 GB", 150, below=150),
    ]

    assert [line.split()[-1] for line in table(results).splitlines()[1:]] == ["met", "MISSED"]
