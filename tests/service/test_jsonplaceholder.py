"""The main job on its real source: the posts of jsonplaceholder, read over HTTP, into SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etl_service.load.sqlite.store import SqliteStore
from etl_service.load.store import Query
from etl_service.model import Run
from etl_service.runs import World, preview, run
from etl_service.spec import EtlPipeline
from sources.jsonplaceholder import Changes

#: The ways to read the hundred posts, each with the number of pages that it takes.
WAYS: list[tuple[dict[str, Any], int]] = [
    ({}, 1),
    ({"params": {"_limit": 10, "_page": 1}, "pagination": {"link": {}}}, 10),
    (
        {"pagination": {"page": {"param": "_page", "size": 30, "sizeParam": "_limit", "totalHeader": "X-Total-Count"}}},
        4,
    ),
    ({"pagination": {"offset": {"param": "_start", "limit": 40, "limitParam": "_limit"}}}, 4),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "etl.db")
    store.prepare()
    yield store
    store.close()


def posts(source: str, **extract: Any) -> EtlPipeline:
    columns = [
        {"name": "id", "type": "integer", "required": True},
        {"name": "user_id", "from": "/userId", "type": "integer"},
        {"name": "title", "type": "text", "clean": ["strip", "collapse_spaces"]},
        {"name": "body", "type": "text", "clean": ["strip"]},
    ]
    return EtlPipeline.model_validate(
        {
            "apiVersion": "etlpipeline.dev/v1alpha1",
            "kind": "EtlPipeline",
            "metadata": {"name": "posts"},
            "spec": {
                "extract": {"url": f"{source}/posts", **extract},
                "transform": {"columns": columns},
                "load": {"table": "posts", "key": ["id"], "mode": "upsert"},
            },
        }
    )


def go(pipeline: EtlPipeline, store: SqliteStore) -> Run:
    ended = asyncio.run(run(pipeline, store, trigger="cli", world=World()))
    assert ended.status == "succeeded", ended
    return ended


def outcome(run: Run) -> dict[str, int]:
    return {name: count for name, count in run.counts.model_dump().items() if count}


@pytest.mark.parametrize(("extract", "pages"), WAYS, ids=["one array", "links", "pages", "offsets"])
def test_all_posts_arrive_and_arrive_once(
    jsonplaceholder: str, store: SqliteStore, extract: dict[str, Any], pages: int
) -> None:
    pipeline = posts(jsonplaceholder, **extract)

    first, second = go(pipeline, store), go(pipeline, store)

    assert (outcome(first), first.pages) == ({"fetched": 100, "inserted": 100}, pages)
    assert outcome(second) == {"fetched": 100, "unchanged": 100}


def test_rows_are_typed_and_clean(jsonplaceholder: str, store: SqliteStore) -> None:
    go(posts(jsonplaceholder), store)

    table = store.table("posts")
    assert table is not None
    assert {column.name: column.type for column in table.columns} == {
        "id": "integer",
        "user_id": "integer",
        "title": "text",
        "body": "text",
        "loaded_at": "timestamp",
        "run_id": "text",
    }
    first = store.rows(table, Query(limit=1)).rows[0]
    assert first[:3] == (1, 1, "sunt aut facere repellat provident occaecati excepturi optio reprehenderit")
    assert str(first[3]).startswith("quia et suscipit\nsuscipit recusandae")


def test_a_post_that_changed_is_the_one_row_that_is_updated(
    jsonplaceholder: str, changed_jsonplaceholder: Callable[[Changes], str], store: SqliteStore
) -> None:
    go(posts(jsonplaceholder), store)
    changed = posts(changed_jsonplaceholder({"posts": {7: {"title": "changed"}}}))

    would = asyncio.run(preview(changed, store, world=World(), full=True)).would
    ended = go(changed, store)

    assert outcome(ended) == {"fetched": 100, "updated": 1, "unchanged": 99}
    assert would == ended.counts
