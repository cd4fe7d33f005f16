"""The next page is on its way while one is being used, and all ends when its reader does."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from etl_service.extract import errors, open_source
from etl_service.extract.page import Page
from etl_service.extract.pagination import Request
from etl_service.extract.window import Window, ahead
from etl_service.spec import Extract
from sources.hostile import HOSTILE, Exchange, hangs, head, post, posts


def source(**extract: Any):
    return open_source(Extract.model_validate(extract), base=Path(), secrets=lambda secret, path: "")


async def until(condition, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def page(exchange: Exchange) -> None:
    number = int(exchange.query["page"])
    body = {"data": posts(number * 10 - 9, number * 10) if number <= 20 else [], "total": 200}
    await exchange.send(200, json.dumps(body).encode())


def test_one_page_is_fetched_ahead_of_the_reader_and_no_more(serve):
    server = serve({"/posts": page})

    async def scenario() -> None:
        async with source(url=server.url + "/posts", records="/data", pagination={"page": {}}) as opened:
            chunks = opened.chunks()
            await anext(chunks)
            await until(lambda: len(server.requests) == 2)
            await asyncio.sleep(0.05)  # nothing tells that something does not happen
            assert len(server.requests) == 2

            await anext(chunks)
            await until(lambda: len(server.requests) == 3)

    asyncio.run(scenario())


def test_with_a_known_total_the_window_moves_with_the_reader(serve):
    server = serve({"/posts": page})
    pagination = {"page": {"totalPath": "/total"}}

    async def scenario() -> None:
        async with source(
            url=server.url + "/posts", records="/data", pagination=pagination, limits={"concurrency": 3}
        ) as opened:
            chunks = opened.chunks()
            await anext(chunks)
            await until(lambda: len(server.requests) >= 4)
            await asyncio.sleep(0.05)  # nothing tells that something does not happen
            # one is used, one is ready, and three are the window
            assert len(server.requests) <= 5

    asyncio.run(scenario())


def test_nothing_is_asked_before_the_first_chunk_is(serve):
    server = serve({"/posts": page})

    async def scenario() -> None:
        async with source(url=server.url + "/posts", records="/data"):
            pass

    asyncio.run(scenario())

    assert server.requests == []


@pytest.mark.parametrize("path", ["/hangs", "/drips", "/slow-headers", "/endless"])
def test_cancelling_the_reader_ends_it_at_once(serve, path):
    server = serve(HOSTILE)

    async def scenario() -> float:
        async def read() -> None:
            async with source(url=server.url + path) as opened:
                async for _ in opened.chunks():
                    pass

        task = asyncio.create_task(read())
        await until(lambda: server.requests)
        await asyncio.sleep(0.05)
        began = time.perf_counter()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        took = time.perf_counter() - began
        assert task.cancelled()
        await nothing_is_left()
        return took

    assert asyncio.run(scenario()) < 0.5


def test_cancelling_the_reader_ends_what_is_fetched_ahead(serve):
    async def first_page_only(exchange: Exchange) -> None:
        await (page if exchange.query["page"] == "1" else hangs)(exchange)

    server = serve({"/posts": first_page_only})
    pagination = {"page": {"totalPath": "/total"}}

    async def scenario() -> None:
        async def read() -> None:
            async with source(url=server.url + "/posts", records="/data", pagination=pagination) as opened:
                async for _ in opened.chunks():
                    pass

        task = asyncio.create_task(read())
        await until(lambda: len(server.requests) == 5)
        task.cancel()
        await asyncio.wait([task])
        await nothing_is_left()

    asyncio.run(scenario())


def test_a_reader_that_has_seen_enough_leaves_nothing_behind(serve):
    server = serve({"/posts": page})

    async def scenario() -> None:
        async with source(
            url=server.url + "/posts", records="/data", pagination={"page": {"totalPath": "/total"}}
        ) as opened:
            async for _ in opened.chunks():
                break
        await nothing_is_left()

    asyncio.run(scenario())


def test_an_error_of_a_page_ahead_comes_when_its_turn_does(serve):
    async def second_page_fails(exchange: Exchange) -> None:
        if exchange.query["page"] == "1":
            await exchange.send(200, json.dumps(posts(1, 3)).encode())
        else:
            await exchange.send(403)

    server = serve({"/posts": second_page_fails})

    async def scenario() -> None:
        async with source(url=server.url + "/posts", pagination={"page": {}}) as opened:
            chunks = opened.chunks()
            assert json.loads(bytes((await anext(chunks)).records)) == posts(1, 3)
            with pytest.raises(errors.SourceRefused, match="page 2"):
                await anext(chunks)

    asyncio.run(scenario())


def test_a_long_page_is_given_away_before_it_has_all_arrived(serve):
    record = json.dumps(post(1)).encode()

    async def stops_in_the_middle(exchange: Exchange) -> None:
        """Sends more than is collected, and then nothing for a long time."""
        await exchange.write(head(200, {"Connection": "close"}) + b"[")
        for _ in range(10):
            await exchange.write(b",".join([record] * (2**20 // len(record))) + b",")
        await hangs(exchange)

    server = serve({"/posts": stops_in_the_middle})

    async def scenario() -> None:
        async with source(url=server.url + "/posts") as opened:
            chunks = [await anext(opened.chunks()) for _ in range(8)]
        assert [chunk.page for chunk in chunks] == [1] * 8
        index = 0
        for chunk in chunks:
            assert chunk.index == index
            index += len(json.loads(bytes(chunk.records)))

    asyncio.run(scenario())


def test_what_is_not_expected_any_more_is_let_go():
    begun, ended = [], []

    async def fetch(request: Request, number: int) -> Page:
        begun.append(request.url)
        try:
            return await asyncio.Event().wait()  # type: ignore[return-value]
        finally:
            ended.append(request.url)

    async def scenario() -> None:
        window = Window(fetch, 3)
        await window.expect([Request("a"), Request("b"), Request("c"), Request("d")], range(2, 9))
        await asyncio.sleep(0)
        assert (begun, ended) == (["a", "b", "c"], [])

        await window.expect([Request("b"), Request("x")], range(3, 9))
        await asyncio.sleep(0)
        assert begun == ["a", "b", "c", "x"]
        assert sorted(ended) == ["a", "c"]

        await window.close()
        assert sorted(ended) == ["a", "b", "c", "x"]

    asyncio.run(scenario())


def test_items_are_given_ahead_until_they_end_or_fail():
    async def numbers(end: int):
        for number in range(end):
            yield number
        raise KeyError("the end")

    async def scenario() -> list[int]:
        seen: list[int] = []
        with pytest.raises(KeyError):
            async with aclosing(ahead(numbers(3))) as items:
                async for item in items:
                    seen.append(item)
        return seen

    assert asyncio.run(scenario()) == [0, 1, 2]


async def nothing_is_left() -> None:
    """The HTTP library closes a few things of its own a moment later."""
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, seconds=0.5)
