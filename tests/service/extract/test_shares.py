"""What workers read who share a source: all of it, each record once, or an error; never a gap that nobody sees."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_service.extract import errors
from etl_service.extract.errors import Place
from etl_service.extract.pagination import ByOffset, ByPage, Pager, Progress, Request
from sources.hostile import Exchange, answers, posts

TOTALS = st.integers(0, 200)
COUNTS = st.integers(2, 12)
SIZES = st.integers(1, 30)


def read_by(pager: Pager, records: range, size: int, *, asked: list[int] | None = None) -> list[int]:
    """What one worker gets of a source that gives ``size`` records at a time, and tells how many it has."""
    found: list[int] = []
    largest = 0
    request: Request | None = pager.first()
    while request is not None:
        if asked is not None:
            asked.append(request.position)
        start = request.position if isinstance(pager, ByOffset) else request.position * size
        page = list(records[start : start + size])
        found += page
        largest = max(largest, len(page))
        progress = Progress(Place(""), len(page), len(found), largest, request.url, total=len(records))
        likely = next(pager.likely(request, progress), None)
        request = pager.after(request, progress)
        assert likely is None or request is None or likely == request
    return found


@settings(deadline=None)
@given(TOTALS, COUNTS, SIZES)
def test_pages_by_number_are_each_read_by_one(total: int, count: int, size: int) -> None:
    asked: list[int] = []

    workers = [ByPage("http://x", "page", 0, stride=count, index=index) for index in range(count)]
    found = [read_by(worker, range(total), size, asked=asked) for worker in workers]

    assert sorted(chain(*found)) == list(range(total))
    # Whoever has nothing but the last page, a short one, cannot know that it is the last.
    assert len(asked) <= -(-total // size) + count + 1


@settings(deadline=None)
@given(TOTALS, COUNTS, SIZES)
def test_pages_by_offset_are_each_read_by_one(total: int, count: int, limit: int) -> None:
    asked: list[int] = []

    workers = [ByOffset("http://x", "offset", limit, stride=count, index=index) for index in range(count)]
    found = [read_by(worker, range(total), limit, asked=asked) for worker in workers]

    assert sorted(chain(*found)) == list(range(total))
    assert len(asked) <= -(-total // limit) + count


@settings(deadline=None)
@given(TOTALS, COUNTS, st.integers(2, 30), st.integers(1, 29))
def test_a_source_that_gives_fewer_than_are_asked_for_is_found_out(
    total: int, count: int, limit: int, cap: int
) -> None:
    workers = [ByOffset("http://x", "offset", limit, stride=count, index=index) for index in range(count)]
    try:
        found = [read_by(worker, range(total), min(cap, limit)) for worker in workers]
    except errors.PaginationInvalid:
        assert cap < limit
    else:
        assert sorted(chain(*found)) == list(range(total))


@settings(deadline=None)
@given(st.integers(2, 200), COUNTS)
def test_a_source_that_does_not_know_the_parameter_is_found_out(total: int, count: int) -> None:
    worker = ByPage("http://x", "page", 1, stride=count, index=1)
    progress = Progress(Place(""), total, total, total, "http://x", total=total)

    with pytest.raises(errors.PaginationInvalid, match="does not know the parameter page"):
        worker.after(worker.first(), progress)


def told(total: int, *, cap: int = 100, tells: bool = True):
    async def handler(exchange: Exchange) -> None:
        limit = min(int(exchange.query.get("limit", 10)), cap)
        query = exchange.query
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * limit
        body = {"data": posts(start + 1, min(start + limit, total)), **({"total": total} if tells else {})}
        if start >= total and "page" in query:
            return await exchange.send(404, b"")
        return await exchange.send(200, json.dumps(body).encode())

    return handler


PAGES = {"pagination": {"page": {"totalPath": "/total"}}}
OFFSETS = {"pagination": {"offset": {"limit": 10, "totalPath": "/total"}}}


@pytest.mark.parametrize(
    ("way", "total"), [*((PAGES, total) for total in (5, 30, 95)), *((OFFSETS, total) for total in (0, 5, 30, 95))]
)
def test_workers_read_all_there_is(serve, read, way, total):
    server = serve({"/posts": told(total)})

    found = [
        read(url=server.url + "/posts", records="/data", partitions={"count": 4}, partition=index, **way)
        for index in range(4)
    ]

    assert sorted(chain(*found), key=lambda post: post["id"]) == posts(1, total)


def test_pages_have_the_numbers_that_they_have_in_the_source(serve, read):
    server = serve({"/posts": told(95)})

    read(url=server.url + "/posts", records="/data", partitions={"count": 4}, partition=1, **PAGES)

    assert sorted({chunk.page for chunk in read.chunks}) == [2, 6, 10]


def test_a_source_that_tells_no_total_after_all_cannot_be_divided(serve, read):
    server = serve({"/posts": told(95, tells=False)})

    with pytest.raises(errors.PaginationInvalid, match="does not tell how many records it has"):
        read(url=server.url + "/posts", records="/data", partitions={"count": 4}, partition=1, **PAGES)


def test_a_cap_on_offsets_names_the_remedy(serve, read):
    server = serve({"/posts": told(95, cap=7)})

    with pytest.raises(errors.PaginationInvalid, match="set limit to as many as the source gives"):
        read(url=server.url + "/posts", records="/data", partitions={"count": 4}, partition=0, **OFFSETS)


@pytest.mark.parametrize("way", [PAGES, OFFSETS], ids=["page", "offset"])
@pytest.mark.parametrize("total", [11, 20, 40])
def test_a_source_that_gives_each_worker_the_same_page_is_found_out(serve, read, way, total):
    server = serve({"/posts": answers({"data": posts(1, 10), "total": total})})

    with pytest.raises((errors.PageRepeated, errors.PaginationInvalid)):
        for index in range(4):
            read(url=server.url + "/posts", records="/data", partitions={"count": 4}, partition=index, **way)


COMMENTS = {"page": {"param": "_page", "size": 30, "sizeParam": "_limit", "totalHeader": "X-Total-Count"}}


@pytest.mark.parametrize(
    ("path", "extract", "ids"),
    [
        ("comments", {"pagination": COMMENTS, "partitions": {"count": 7}}, range(1, 501)),
        ("posts", {"partitions": {"param": "userId", "values": list(range(1, 11))}}, range(1, 101)),
        (
            "photos",
            {
                "partitions": {
                    "param": "id_gte",
                    "toParam": "id_lte",
                    "from": 1,
                    "to": 5001,
                    "step": 700,
                    "inclusive": True,
                }
            },
            range(1, 5001),
        ),
    ],
    ids=["by count", "by values", "by ranges"],
)
def test_the_real_source_is_read_whole(
    read: Any, jsonplaceholder: str, path: str, extract: dict[str, Any], ids: range
) -> None:
    found: list[int] = []
    index = 0
    while True:
        try:
            found += [record["id"] for record in read(url=f"{jsonplaceholder}/{path}", partition=index, **extract)]
        except IndexError:
            break
        index += 1

    assert sorted(found) == list(ids)


class Shared:
    """Turns as another worker's clock has them."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.held: list[float] = []

    async def take(self, interval: float) -> float:
        self.taken.append(interval)
        return 7.0 * len(self.taken)

    async def hold(self, seconds: float) -> None:
        self.held.append(seconds)


def test_turns_are_shared_where_the_document_has_a_limit(serve, read):
    server, turns = serve({"/posts": told(20)}), Shared()
    given = {"url": server.url + "/posts", "records": "/data", **PAGES}

    read(turns=turns, limits={"requestsPerSecond": 4}, **given)
    assert (turns.taken, [second for second in read.slept if second > 1]) == ([0.25, 0.25], [7.0, 14.0])

    read(turns=turns, **given)
    assert len(turns.taken) == 2
