"""A source that is never what limits: posts of 264 bytes each, made before the first request.

``python -m bench.source --rows 1000000 --port 8123`` serves ``/posts`` as one array, and ``/posts?_page=1&_limit=1000``
as a page with the Link and X-Total-Count headers of jsonplaceholder. Any two sources of as many rows are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

RECORD = 264  #: bytes, as the posts of jsonplaceholder have on average
STRIDE = RECORD + 1  #: with the comma
FIRST_ID = 10_000_000  #: ids of one width make records of one size, and pages slices of one text
WRITE = 1 << 20

WORDS = "quia et suscipit recusandae consequuntur expedita rerum est autem sunt nihil facere molestiae ut quas".split()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--latency", type=float, default=0, help="seconds before each answer")
    options = parser.parse_args(arguments)
    os.nice(10)  # it stands for another machine: what it takes of this one's time is not to be measured
    asyncio.run(serve(array(options.rows), options.host, options.port, options.latency))


async def serve(posts: bytes, host: str, port: int, latency: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(latency)
                for part in response(posts, head):
                    writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has what it wanted
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port)
    await server.serve_forever()


def response(posts: bytes, head: bytes) -> Sequence[bytes | memoryview]:
    """The answer to a request, in parts that are not copied from the posts."""
    target = head.split(b" ", 2)[1].decode()
    query = {name: int(values[0]) for name, values in parse_qs(urlsplit(target).query).items()}
    headers = ["HTTP/1.1 200 OK", "Content-Type: application/json; charset=utf-8"]
    if "_page" not in query:
        body = [memoryview(posts)[start : start + WRITE] for start in range(0, len(posts), WRITE)]
    else:
        page, limit, total = query["_page"], query["_limit"], rows_in(posts)
        end = min(page * limit, total)
        body = [memoryview(b"["), memoryview(posts)[1 + (page - 1) * limit * STRIDE : end * STRIDE], memoryview(b"]")]
        headers += [f"X-Total-Count: {total}"]
        if end < total:
            headers += [f'Link: </posts?_page={page + 1}&_limit={limit}>; rel="next"']
    headers += [f"Content-Length: {sum(map(len, body))}", "", ""]
    return ["\r\n".join(headers).encode(), *body]


def array(rows: int) -> bytes:
    """A JSON array of so many posts."""
    bodies = [paragraph(number) for number in range(997)]
    return b"[" + b",".join(record(FIRST_ID + row, bodies[row % len(bodies)]) for row in range(rows)) + b"]"


def rows_in(posts: bytes) -> int:
    return len(posts) // STRIDE


def record(number: int, body: str) -> bytes:
    start = f'{{"userId":{number % 10},"id":{number},"title":"{WORDS[number % len(WORDS)]} {number}","body":"'
    return (start + body[: RECORD - len(start) - 2] + '"}').encode()


def paragraph(seed: int) -> str:
    """Two lines that are longer together than any record has room for."""
    text = " ".join(random.Random(seed).choices(WORDS, k=100))
    return text[:60] + r"\n" + text[60:RECORD]


if __name__ == "__main__":
    main()
