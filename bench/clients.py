"""Readers of an HTTP server: as many as can be, or one at a steady pace. Small, so that the server is what limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

Get = Callable[[], Awaitable[bytes]]


def requests_per_second(url: str, *, seconds: float = 3, clients: int = 8) -> float:
    """How many answers so many clients get, each asking again as soon as it has its answer."""

    async def client(until: float) -> int:
        answers = 0
        async with connected(url) as get:
            while time.perf_counter() < until:
                await get()
                answers += 1
        return answers

    async def all_clients() -> float:
        began = time.perf_counter()
        answers = await asyncio.gather(*(client(began + seconds) for _ in range(clients)))
        return sum(answers) / (time.perf_counter() - began)

    return asyncio.run(all_clients())


def latencies(url: str, *, going_on: Callable[[], bool], pace: float = 0.005) -> list[float]:
    """How many seconds each of a row of requests took, begun a pace apart."""

    async def client() -> list[float]:
        taken = []
        async with connected(url) as get:
            while going_on():
                began = time.perf_counter()
                await get()
                taken.append(time.perf_counter() - began)
                await asyncio.sleep(max(0, pace - taken[-1]))
        return taken

    return asyncio.run(client())


def times(url: str, count: int) -> list[float]:
    """How many seconds each of so many requests took."""
    left = iter(range(count))
    return latencies(url, going_on=lambda: next(left, None) is not None)


def post(url: str) -> bytes:
    """Ask for something to be done, and wait until it is."""
    with urlopen(Request(url, method="POST")) as answer:
        body: bytes = answer.read()
        return body


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Get]:
    """A connection that is kept, and the means to ask for the URL on it."""
    parts = urlsplit(url)
    request = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)

    async def get() -> bytes:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(f"{url} answered {head[:30]!r}")
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        return await reader.readexactly(int(length))

    try:
        yield get
    finally:
        writer.close()
