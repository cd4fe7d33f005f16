"""The five ways from page to page, and how each of them ends."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from etl_service.extract import errors
from etl_service.extract.pagination import next_link
from sources.hostile import Exchange, answers, in_turn, post, posts, status


def paged(total: int, *, size: int = 10, cap: int = 100, told: int | None = None, header: bool = False):
    """Posts by page or offset, as many of them as the source has, at most ``cap`` at a time."""

    async def handler(exchange: Exchange) -> None:
        query = exchange.query
        limit = min(int(query.get("limit", size)), cap)
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * limit
        records = posts(start + 1, min(start + limit, total))
        body: Any = records if header else {"data": records, "total": told}
        await exchange.send(200, json.dumps(body).encode(), {"X-Total-Count": str(told)} if header else {})

    return handler


PAGE = {"records": "/data", "pagination": {"page": {}}}
OFFSET = {"records": "/data", "pagination": {"offset": {"limit": 10}}}


# page and offset


@pytest.mark.parametrize("extract", [PAGE, OFFSET], ids=["page", "offset"])
def test_pages_end_with_an_empty_one(serve, read, extract):
    server = serve({"/posts": paged(25)})

    assert read(url=server.url + "/posts", **extract) == posts(1, 25)
    assert read.pages == [10, 10, 5]
    assert read.stats.pages == len(server.requests) == 4


def test_a_short_page_does_not_end_an_offset_and_the_next_begins_where_it_ended(serve, read):
    server = serve({"/posts": paged(25, cap=7)})

    assert read(url=server.url + "/posts", **OFFSET) == posts(1, 25)
    assert [exchange.query["offset"] for exchange in server.requests] == ["0", "7", "14", "21", "25"]


def test_a_page_that_is_not_found_ends_pages_after_the_first(serve, read):
    server = serve({"/posts": in_turn(answers(posts(1, 10)), answers(posts(11, 20)), status(404))})

    assert read(url=server.url + "/posts", pagination={"page": {}}) == posts(1, 20)
    assert read.stats.pages == 2

    with pytest.raises(errors.SourceRefused):
        read(url=server.url + "/nowhere", pagination={"page": {}})


@pytest.mark.parametrize(
    "end",
    [answers({"data": None}), answers({"data": []}), answers({}), status(204)],
    ids=["null", "empty", "missing", "no content"],
)
def test_no_records_on_a_later_page_are_the_end_however_it_is_said(serve, read, end):
    server = serve({"/posts": in_turn(answers({"data": posts(1, 10)}), end)})

    assert read(url=server.url + "/posts", **PAGE) == posts(1, 10)


def test_pages_begin_where_the_document_says_with_the_size_it_says(serve, read):
    server = serve({"/posts": paged(20)})

    read(
        url=server.url + "/posts?lang=en",
        records="/data",
        params={"sort": "id", "deep": True, "from": 1.5},
        pagination={"page": {"start": 2, "size": 5, "sizeParam": "limit"}},
    )

    first = server.requests[0].query
    assert first == {"lang": "en", "sort": "id", "deep": "true", "from": "1.5", "limit": "5", "page": "2"}


# totals


@pytest.mark.parametrize("way", ["page", "offset"])
@pytest.mark.parametrize("header", [False, True])
def test_a_known_total_ends_the_pages_without_another_request(serve, read, way, header):
    server = serve({"/posts": paged(95, told=95, header=header)})
    total = {"totalHeader": "x-total-count"} if header else {"totalPath": "/total"}
    extract = {"pagination": {way: {"limit": 10, **total} if way == "offset" else total}}

    assert read(url=server.url + "/posts", records="" if header else "/data", **extract) == posts(1, 95)
    assert read.stats.total == 95
    assert len(server.requests) == 10


def test_a_known_total_brings_as_many_requests_at_a_time_as_the_limit_in_order(serve, read):
    under_way, most = 0, 0
    page = paged(200, told=200)

    async def slow(exchange: Exchange) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        # the later the page, the sooner it is there
        await asyncio.sleep(0.1 / int(exchange.query["page"]))
        await page(exchange)
        under_way -= 1

    server = serve({"/posts": slow})

    extract = {"records": "/data", "pagination": {"page": {"totalPath": "/total"}}}
    assert read(url=server.url + "/posts", limits={"concurrency": 3}, **extract) == posts(1, 200)
    assert most == 3
    assert len(server.requests) == 20


def test_without_a_total_one_page_is_fetched_ahead_and_no_more(serve, read):
    under_way, most = 0, 0
    page = paged(50)

    async def counted(exchange: Exchange) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        await page(exchange)
        under_way -= 1

    read(url=serve({"/posts": counted}).url + "/posts", **PAGE)

    assert most == 1


def test_pages_of_uneven_size_are_read_rightly_though_they_were_guessed_wrongly(serve, read):
    sizes = {0: 10, 10: 4, 14: 10, 24: 10, 34: 6}

    async def uneven(exchange: Exchange) -> None:
        start = int(exchange.query["offset"])
        records = posts(start + 1, start + sizes[start]) if start in sizes else posts(start + 1, 40)
        await exchange.send(200, json.dumps({"data": records, "total": 40}).encode())

    url = serve({"/posts": uneven}).url + "/posts"

    extract = {"records": "/data", "pagination": {"offset": {"limit": 10, "totalPath": "/total"}}}
    assert read(url=url, **extract) == posts(1, 40)
    assert read.pages == [10, 4, 10, 10, 6]


def test_what_is_guessed_and_fails_does_not_matter_where_it_is_not_needed(serve, read):
    async def shrinking(exchange: Exchange) -> None:
        """Says 100 at first, and then that there are 20; has no more than that."""
        page = int(exchange.query["page"])
        if page > 2:
            await status(500)(exchange)
        else:
            body = {"data": posts(page * 10 - 9, page * 10), "total": 100 if page == 1 else 20}
            await exchange.send(200, json.dumps(body).encode())

    url = serve({"/posts": shrinking}).url + "/posts"

    extract = {"records": "/data", "pagination": {"page": {"totalPath": "/total"}}}
    assert read(url=url, **extract) == posts(1, 20)


def test_fewer_records_than_the_source_said_is_an_error(serve, read):
    url = serve({"/posts": paged(95, told=100)}).url + "/posts"

    with pytest.raises(errors.SourceIncomplete, match="after 95 records, and said that it has 100"):
        read(url=url, records="/data", pagination={"page": {"totalPath": "/total"}})


def test_a_total_that_is_left_open_is_none(serve, read):
    url = serve({"/posts": paged(15, told=None)}).url + "/posts"

    assert read(url=url, records="/data", pagination={"page": {"totalPath": "/total"}}) == posts(1, 15)


@pytest.mark.parametrize("total", ["many", "", True, -1, [15]])
def test_a_total_that_is_no_number_is_an_error(serve, read, total):
    url = serve({"/posts": answers({"data": posts(1, 10), "total": total})}).url + "/posts"

    with pytest.raises(errors.PaginationInvalid, match="total is not a number"):
        read(url=url, records="/data", pagination={"page": {"totalPath": "/total"}})


def test_a_range_ends_with_the_total(serve, read):
    ranged = answers(posts(1, 10), headers={"Content-Range": "posts 0-9/10"})
    server = serve({"/posts": ranged})

    assert read(url=server.url + "/posts", pagination={"page": {"totalHeader": "Content-Range"}}) == posts(1, 10)
    assert len(server.requests) == 1


# cursor


def by_cursor(cursors: dict[str, Any]):
    """A page of ten for each cursor, which leads to the next; the first has none."""

    async def handler(exchange: Exchange) -> None:
        cursor = exchange.query.get("after", "")
        number = list(cursors).index(cursor)
        body = {"data": posts(number * 10 + 1, number * 10 + 10), "meta": {"next": cursors[cursor]}}
        await exchange.send(200, json.dumps(body).encode())

    return handler


CURSOR = {"records": "/data", "pagination": {"cursor": {"param": "after", "path": "/meta/next"}}}


@pytest.mark.parametrize("end", [None, "", False])
def test_cursors_are_followed_until_there_is_none(serve, read, end):
    cursors = {"": "a b/c&d=é", "a b/c&d=é": 12345678901234567890123, "12345678901234567890123": end}

    server = serve({"/posts": by_cursor(cursors)})
    assert read(url=server.url + "/posts", **CURSOR) == posts(1, 30)
    assert server.requests[1].target == "/posts?after=a%20b/c%26d%3D%C3%A9"


def test_a_cursor_that_is_missing_is_the_end(serve, read):
    assert read(url=serve({"/posts": answers({"data": posts(1, 3)})}).url + "/posts", **CURSOR) == posts(1, 3)


def test_an_empty_page_does_not_end_cursors(serve, read):
    pages = in_turn(
        answers({"data": [], "meta": {"next": "b"}}),
        answers({"data": [], "meta": {"next": "c"}}),
        answers({"data": posts(1, 5)}),
    )

    assert read(url=serve({"/posts": pages}).url + "/posts", **CURSOR) == posts(1, 5)


@pytest.mark.parametrize("cursor", [True, {"id": 1}, [1]])
def test_a_cursor_that_is_none_is_an_error(serve, read, cursor):
    url = serve({"/posts": answers({"data": posts(1, 3), "meta": {"next": cursor}})}).url + "/posts"

    with pytest.raises(errors.PaginationInvalid, match=r"page 1 of .*cursor is neither"):
        read(url=url, **CURSOR)


def test_a_cursor_that_comes_again_is_an_error(serve, read):
    url = serve({"/posts": by_cursor({"": "a", "a": "b", "b": "a"})}).url + "/posts"

    with pytest.raises(errors.PageRepeated, match=r"page 4 of .*leads back to page 2"):
        read(url=url, **CURSOR)


# link and nextUrl


def test_links_are_followed_until_none_is_next(serve, read):
    async def linked(exchange: Exchange) -> None:
        page = int(exchange.query.get("page", 1))
        links = '<https://elsewhere.test/>; rel="first"'
        if page < 3:
            links += f', <?page={page + 1}&q=a,b>; title="a, \\"b\\"; rel=none"; rel="last next"'
        await exchange.send(200, json.dumps([post(page)]).encode(), {"Link": links})

    assert read(url=serve({"/posts": linked}).url + "/posts", pagination={"link": {}}) == posts(1, 3)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("", None),
        ('<https://a.test/?p=2>; rel="next"', "https://a.test/?p=2"),
        ("<https://a.test/?p=2>;rel=next", "https://a.test/?p=2"),
        ('<https://a.test/?p=2>; REL="Prev NEXT"', "https://a.test/?p=2"),
        ('<a>; rel=prev, <b,c>; title="x, y"; rel="next", <d>; rel=next', "b,c"),
        ('<a>; rel="nextish"', None),
        ("rel=next", None),
        ('<a>; title="; rel=next"', None),
    ],
)
def test_link_headers_are_read_as_the_standard_has_it(header, target):
    assert next_link(header) == target


@pytest.mark.parametrize("piece", ["<", "<a>;", '<a>; t="', "<a>; t=x ", "; ", "\\"])
def test_a_link_header_as_long_as_headers_can_be_is_read_in_no_time(piece):
    began = time.perf_counter()

    assert next_link(piece * (60_000 // len(piece))) is None
    assert time.perf_counter() - began < 1


NEXT_URL = {"records": "/data", "pagination": {"nextUrl": {"path": "/next"}}}


def test_next_urls_are_followed_relative_ones_from_where_they_stand(serve, read):
    async def absolute(exchange: Exchange) -> None:
        body = {"data": posts(3, 4), "next": f"http://{exchange.headers['host']}/last?page=3#top"}
        await exchange.send(200, json.dumps(body).encode())

    server = serve(
        {
            "/v1/posts": answers({"data": posts(1, 2), "next": "more/posts?page=2"}),
            "/v1/more/posts": absolute,
            "/last": answers({"data": posts(5, 6), "next": ""}),
        }
    )

    assert read(url=server.url + "/v1/posts", params={"sort": "id"}, **NEXT_URL) == posts(1, 6)
    targets = [exchange.target for exchange in server.requests]
    assert targets == ["/v1/posts?sort=id", "/v1/more/posts?page=2", "/last?page=3"]


@pytest.mark.parametrize("target", ["ftp://a.test/", "javascript:alert(1)", "http://[", "file:///etc/passwd", 7, {}])
def test_a_next_url_that_leads_nowhere_is_an_error(serve, read, target):
    url = serve({"/posts": answers({"data": posts(1, 2), "next": target})}).url + "/posts"

    with pytest.raises(errors.PaginationInvalid, match="address of the next page"):
        read(url=url, **NEXT_URL)


# ends that are none


def test_more_pages_than_the_limit_is_an_error(serve, read):
    server = serve({"/posts": paged(1000)})

    with pytest.raises(errors.MaxPagesExceeded, match="there is more after 3 pages"):
        read(url=server.url + "/posts", limits={"maxPages": 3}, **PAGE)
    assert len(server.requests) == 3


def test_as_many_pages_as_the_limit_are_none_too_many(serve, read):
    server = serve({"/posts": paged(30, told=30)})

    extract = {"records": "/data", "pagination": {"page": {"totalPath": "/total"}}}
    assert read(url=server.url + "/posts", limits={"maxPages": 3}, **extract) == posts(1, 30)


def test_a_guess_goes_no_further_than_the_page_limit(serve, read):
    server = serve({"/posts": paged(1000, told=1000)})

    with pytest.raises(errors.MaxPagesExceeded):
        read(
            url=server.url + "/posts",
            records="/data",
            pagination={"page": {"totalPath": "/total"}},
            limits={"maxPages": 3},
        )
    assert len(server.requests) == 3


def test_a_parameter_that_the_source_does_not_know_is_found_out(serve, read):
    url = serve({"/posts": answers(posts(1, 10))}).url + "/posts"

    with pytest.raises(errors.PageRepeated, match=r"page 2 of .*records are those of page 1"):
        read(url=url, pagination={"page": {"param": "seite"}})


@pytest.mark.parametrize("path", ["/data/0/next", "/data"])
def test_a_path_into_the_records_is_refused(read, path):
    with pytest.raises(errors.PaginationInvalid, match="is within the records"):
        read(url="http://127.0.0.1:9", records="/data", pagination={"nextUrl": {"path": path}})
