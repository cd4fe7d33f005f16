"""A source that misbehaves in every way that sources do, and answers rightly where a test wants that.

A small server on raw sockets: no framework stands between a test and the bytes. It runs in a thread of its own,
so that blocking tests and other processes can ask it too.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import brotli


@dataclass
class Exchange:
    """A request that came, and the way back."""

    method: str
    target: str
    headers: dict[str, str]  #: by names in lower case
    body: bytes
    number: int  #: of this request among those for its path, from 1
    writer: asyncio.StreamWriter = field(repr=False)
    open: bool = False  #: whether the connection can take another request

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    async def send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """A whole answer."""
        lengths = {"Content-Length": str(len(body)), **(headers or {})}
        await self.write(head(status, lengths) + body)
        self.open = True

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection with a reset, as a crashed machine does."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Exchange], Awaitable[None]]


@dataclass
class Server:
    url: str
    requests: list[Exchange]  #: all that came, in order

    def asked(self, path: str) -> list[Exchange]:
        return [exchange for exchange in self.requests if exchange.path == path]


@contextmanager
def serving(routes: Mapping[str, Handler] | None = None) -> Iterator[Server]:
    """Serve these routes, or all that misbehave; a path that is none of them answers 404."""
    requests: list[Exchange] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        answering = _Answering(HOSTILE if routes is None else routes, requests)
        listening = asyncio.run_coroutine_threadsafe(answering.listen(), loop)
        yield Server(f"http://127.0.0.1:{listening.result(10)}", requests)
        asyncio.run_coroutine_threadsafe(answering.close(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Answering:
    def __init__(self, routes: Mapping[str, Handler], requests: list[Exchange]) -> None:
        self._routes = routes
        self._requests = requests
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self) -> int:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=2**20)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport is closed a moment later

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            while (exchange := await self._read(reader, writer)) is not None:
                await self._routes.get(exchange.path, status(404))(exchange)
                if not exchange.open:
                    break
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.CancelledError):  # the client, or this server, has had enough
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange | None:
        try:
            text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None  # the client has closed
        first, *lines = text.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        number = 1 + sum(urlsplit(target).path == earlier.path for earlier in self._requests)
        exchange = Exchange(method, target, headers, body, number, writer)
        self._requests.append(exchange)
        return exchange


def head(status: int, headers: Mapping[str, str]) -> bytes:
    given = {"Content-Type": "application/json", **headers}
    return "".join([f"HTTP/1.1 {status} Status\r\n", *(f"{k}: {v}\r\n" for k, v in given.items()), "\r\n"]).encode()


# Well-behaved answers


def post(number: int) -> dict[str, Any]:
    return {"userId": (number - 1) // 10 + 1, "id": number, "title": f"title {number}", "body": f"body\n{number}"}


def posts(first: int, last: int) -> list[dict[str, Any]]:
    return [post(number) for number in range(first, last + 1)]


def answers(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    """The same JSON, or bytes as they are, to everybody."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()

    async def handler(exchange: Exchange) -> None:
        await exchange.send(status, body, headers)

    return handler


def status(code: int, **headers: str) -> Handler:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answers({"message": f"this is a {code}"}, status=code, headers=named)


def in_turn(*handlers: Handler) -> Handler:
    """One after the other; the last again and again."""

    async def handler(exchange: Exchange) -> None:
        await handlers[min(exchange.number, len(handlers)) - 1](exchange)

    return handler


# Ways to misbehave


async def hangs(exchange: Exchange) -> None:
    """Takes the request and never answers."""
    await asyncio.Event().wait()


async def drips(exchange: Exchange) -> None:
    """A byte a second, for ever."""
    await exchange.write(head(200, {"Content-Length": "1000000"}))
    while True:
        await exchange.write(b"[")
        await asyncio.sleep(1)


async def slow_headers(exchange: Exchange) -> None:
    """Headers, but never the end of them."""
    await exchange.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        await exchange.write(b"x")
        await asyncio.sleep(0.2)


async def resets(exchange: Exchange) -> None:
    """Ends the connection before it answers."""
    exchange.reset()


async def resets_within(exchange: Exchange) -> None:
    """Ends the connection in the middle of a record."""
    body = json.dumps(posts(1, 100)).encode()
    await exchange.write(head(200, {"Content-Length": str(len(body))}) + body[: len(body) // 2])
    exchange.reset()


async def ends_early(exchange: Exchange) -> None:
    """Promises more bytes than it sends, and closes."""
    body = json.dumps(posts(1, 100)).encode()
    await exchange.write(head(200, {"Content-Length": str(len(body) + 100)}) + body)


def compressed(encoding: str, body: bytes) -> Handler:
    return answers(body, headers={"Content-Encoding": encoding})


@cache
def gzip_bomb(size: int = 2**28) -> bytes:
    """A record that is long when it is decompressed, and a thousandth of that before."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    block = b"a" * 2**20
    packed = [packer.compress(b'[{"id": 1, "body": "')]
    packed += [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*packed, packer.compress(b'"}]'), packer.flush()])


@cache
def brotli_bomb(size: int = 2**28) -> bytes:
    packer = brotli.Compressor(quality=1)
    block = b"a" * 2**20
    packed = [packer.process(b'[{"id": 1, "body": "')]
    packed += [packer.process(block) for _ in range(size // len(block))]
    return b"".join([*packed, packer.process(b'"}]'), packer.finish()])


def lazily(encoding: str, bomb: Callable[[], bytes]) -> Handler:
    """Make the bomb when it is first asked for."""

    async def handler(exchange: Exchange) -> None:
        await compressed(encoding, bomb())(exchange)

    return handler


async def endless(exchange: Exchange) -> None:
    """Records without end."""
    await exchange.write(head(200, {"Connection": "close"}) + b"[")
    block = b",".join(json.dumps(record).encode() for record in posts(1, 1000))
    while True:
        await exchange.write(block + b",")


async def cycle(exchange: Exchange) -> None:
    """Two pages, each the next of the other, their records always new."""
    other = "b" if exchange.query.get("page", "a") == "a" else "a"
    first = exchange.number * 10
    body = {"data": posts(first, first + 9), "next": f"/cycle?page={other}"}
    await exchange.send(200, json.dumps(body).encode())


async def redirect_loop(exchange: Exchange) -> None:
    await exchange.send(302, headers={"Location": "/redirect-loop?again=yes"})


async def redirects_for_ever(exchange: Exchange) -> None:
    await exchange.send(302, headers={"Location": f"/redirects-for-ever?{exchange.number}"})


def redirects(to: str, code: int = 302) -> Handler:
    return answers(b"", status=code, headers={"Location": to})


def in_seconds(seconds: int) -> str:
    """A moment as HTTP writes it."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


async def busy_until_a_date(exchange: Exchange) -> None:
    if exchange.number == 1:
        await status(429, Retry_After=in_seconds(1))(exchange)
    else:
        await answers(posts(1, 10))(exchange)


_POSTS = json.dumps(posts(1, 100)).encode()
_PAGE_FOR_PEOPLE = b"<!DOCTYPE html>\n<html><title>Sign in</title><body>Please sign in.</body></html>"

HOSTILE: dict[str, Handler] = {
    "/500-then-200": in_turn(status(500), answers(posts(1, 10))),
    "/500": status(500),
    "/403": status(403),
    "/429-seconds": in_turn(status(429, Retry_After="1"), answers(posts(1, 10))),
    "/429-date": busy_until_a_date,
    "/429-tomorrow": status(429, Retry_After="86400"),
    "/hangs": hangs,
    "/drips": drips,
    "/slow-headers": slow_headers,
    "/resets": resets,
    "/resets-within": resets_within,
    "/ends-early": ends_early,
    "/truncated": answers(_POSTS[:-100]),
    "/truncated-gzip": compressed("gzip", gzip.compress(_POSTS)[:-20]),
    "/truncated-brotli": compressed("br", brotli.compress(_POSTS)[:-20]),
    "/corrupt-gzip": compressed("gzip", b"\x1f\x8b\x08\x00 this is no gzip"),
    "/unknown-encoding": compressed("zstd", b"\x28\xb5\x2f\xfd"),
    "/gzip-bomb": lazily("gzip", gzip_bomb),
    "/brotli-bomb": lazily("br", brotli_bomb),
    "/endless": endless,
    "/html": answers(_PAGE_FOR_PEOPLE, headers={"Content-Type": "text/html; charset=utf-8"}),
    "/html-as-json": answers(_PAGE_FOR_PEOPLE),
    "/image": answers(b"\x89PNG\r\n\x1a\n", headers={"Content-Type": "image/png"}),
    "/nothing": answers(b""),
    "/not-json": answers(b"posts: 100"),
    "/trailing-garbage": answers(_POSTS + b" Fatal error: allowed memory exhausted"),
    "/object": answers({"data": posts(1, 10), "total": 10}),
    "/wrong-shape": answers([1, "two", None, [3], {"id": {"deep": True}}]),
    "/same-page": answers(posts(1, 10)),
    "/cycle": cycle,
    "/redirect-loop": redirect_loop,
    "/redirects-for-ever": redirects_for_ever,
    "/redirects-to-ftp": redirects("ftp://127.0.0.1/posts"),
}


def main() -> None:
    """Serve until interrupted, to try things by hand: ``PYTHONPATH=tests python -m sources.hostile``."""
    with serving() as server, suppress(KeyboardInterrupt):
        print(server.url, *sorted(HOSTILE), sep="\n  ")
        threading.Event().wait()


if __name__ == "__main__":
    main()
