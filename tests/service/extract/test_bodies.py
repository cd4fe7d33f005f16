"""Bodies as they come: compressed, in lines, with a mark before them, longer than can be held."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import zlib
from collections.abc import AsyncGenerator
from pathlib import Path

import brotli
import pytest

from etl_service import jsontext
from etl_service.extract import errors
from etl_service.extract.body import PIECE, Allowance, decoded
from etl_service.extract.errors import Place
from etl_service.model import SourceStats
from sources.hostile import Exchange, answers, compressed, hangs, head, post, posts

BODY = json.dumps(posts(1, 100)).encode()
PLACE = Place("http://source.test/", 1)


def unpack(*blocks: bytes, encoding: str = "gzip", limit: int = 2**30) -> list[bytes]:
    async def source() -> AsyncGenerator[bytes, None]:
        for block in blocks:
            yield block

    async def read() -> list[bytes]:
        return [piece async for piece in decoded(source(), encoding, PLACE, Allowance(SourceStats(), limit))]

    return asyncio.run(read())


# compression


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("br", brotli.compress)]
)
def test_what_was_compressed_is_unpacked_however_it_is_cut(encoding, pack):
    packed = pack(BODY)

    assert b"".join(unpack(packed, encoding=encoding)) == BODY
    assert b"".join(unpack(*(packed[at : at + 1] for at in range(len(packed))), encoding=encoding)) == BODY


def test_gzip_in_several_members_with_zeros_after_them_is_whole():
    packed = gzip.compress(BODY[:50]) + gzip.compress(BODY[50:]) + b"\0" * 100

    assert b"".join(unpack(packed)) == BODY
    assert b"".join(unpack(packed[:60], packed[60:])) == BODY


def test_gzip_that_nobody_announced_is_found_by_its_beginning():
    packed = gzip.compress(BODY)

    assert b"".join(unpack(packed[:1], packed[1:], encoding="")) == BODY
    assert unpack(b"[", encoding="") == [b"["]
    assert unpack(encoding="") == []


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_no_body_at_all_is_none_too_short(encoding, pack):
    assert unpack(encoding=encoding) == []


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress)])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_compressed_data_that_ends_too_early_is_an_error(encoding, pack, kept):
    packed = pack(BODY)

    with pytest.raises(errors.BodyTruncated):
        unpack(packed[: max(3, int(len(packed) * kept))], encoding=encoding)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_garbage_after_compressed_data_is_an_error(encoding, pack):
    with pytest.raises(errors.BodyCorrupt):
        unpack(pack(BODY) + b"garbage", encoding=encoding)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_a_small_block_never_unpacks_into_more_than_a_bounded_piece_at_a_time(encoding, pack):
    pieces = unpack(pack(b"[" + b" " * 20_000_000 + b"]"), encoding=encoding)

    assert sum(map(len, pieces)) == 20_000_002
    assert max(map(len, pieces)) <= 2 * PIECE


def test_the_limit_is_on_what_is_unpacked():
    assert unpack(gzip.compress(BODY), limit=len(BODY))
    with pytest.raises(errors.MaxBytesExceeded, match=f"more than {len(BODY) - 1} bytes"):
        unpack(gzip.compress(BODY), limit=len(BODY) - 1)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_a_compressed_answer_is_read_and_counted_as_unpacked(serve, read, encoding, pack):
    server = serve({"/posts": compressed(encoding, pack(BODY))})

    assert read(url=server.url + "/posts") == posts(1, 100)
    assert read.stats.bytes == len(BODY)


def test_the_limit_is_over_all_pages(serve, read):
    server = serve({"/posts": answers(BODY)})

    with pytest.raises(errors.MaxBytesExceeded, match="page 2"):
        read(url=server.url + "/posts", pagination={"page": {}}, limits={"maxBytes": str(len(BODY) + 10)})


# lines


LINES = b"\n".join(json.dumps(record).encode() for record in posts(1, 100))


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl; charset=utf-8", "Application/NDJSON"])
def test_lines_are_known_by_their_type(serve, read, kind):
    server = serve({"/posts": answers(LINES, headers={"Content-Type": kind})})

    assert read(url=server.url + "/posts") == posts(1, 100)


@pytest.mark.parametrize("path", ["/posts.ndjson", "/posts.JSONL", "/posts.jsonl.gz"])
def test_lines_are_known_by_the_address_where_the_type_says_nothing(serve, read, path):
    body = gzip.compress(LINES) if path.endswith(".gz") else LINES
    server = serve({path: answers(body, headers={"Content-Type": "application/octet-stream"})})

    assert read(url=server.url + path) == posts(1, 100)


def test_blank_lines_and_the_ends_of_lines_do_not_matter(serve, read):
    body = b"\xef\xbb\xbf\r\n" + LINES.replace(b"\n", b" \r\n\n") + b"\n\n"
    server = serve({"/posts.jsonl": answers(body, headers={"Content-Type": "text/plain"})})

    assert read(url=server.url + "/posts.jsonl") == posts(1, 100)


def test_a_line_that_is_not_json_is_named(serve, read):
    lines = [b'{"id": 1}', b"", b"[2]", b'{"id": 3', b'{"id": 4}']
    server = serve({"/posts.jsonl": answers(b"\n".join(lines), headers={"Content-Type": "text/plain"})})

    with pytest.raises(errors.InvalidJson, match=r'line 4 is not JSON: \{"id": 3'):
        read(url=server.url + "/posts.jsonl")


def test_a_last_line_that_is_cut_off_is_a_body_that_is(serve, read):
    server = serve({"/posts.jsonl": answers(LINES[:-5], headers={"Content-Type": "text/plain"})})

    with pytest.raises(errors.BodyTruncated, match="line 100 is not JSON"):
        read(url=server.url + "/posts.jsonl", limits={"retries": 0})


@pytest.mark.parametrize("line", [b"<html>", b"hello", b"{'id': 1}}", b"{} {", b']"'])
def test_a_line_that_is_no_value_is_an_error(serve, read, line):
    server = serve({"/posts.jsonl": answers(b"[1]\n" + line + b"\n[2]", headers={"Content-Type": "text/plain"})})

    with pytest.raises(errors.SourceError, match="line 2 is not JSON"):
        read(url=server.url + "/posts.jsonl")


def test_a_line_with_a_mistake_within_is_delivered_for_the_mapping_to_reject(serve, read):
    server = serve({"/posts.jsonl": answers(b'{"id": 1}\n{"id": NaN}\n', headers={"Content-Type": "text/plain"})})

    assert repr(read(url=server.url + "/posts.jsonl")) == "[{'id': 1}, {'id': nan}]"


def test_a_pointer_into_lines_is_an_error(serve, read):
    server = serve({"/posts": answers(LINES, headers={"Content-Type": "application/jsonl"})})

    with pytest.raises(errors.RecordsMissing, match=r"lines of JSON.*leave extract\.records out"):
        read(url=server.url + "/posts", records="/data")


# JSON that is unusual, or hardly any


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf[]", b"null", b" \r\n\t[ \n ] \n", b"[]"])
def test_no_records_are_no_chunks(serve, read, body):
    assert read(url=serve({"/posts": answers(body)}).url + "/posts") == []
    assert read.chunks == []


@pytest.mark.parametrize(
    "record",
    [
        b'{"id": NaN}',
        b'{"id": -Infinity}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\x"}',
        b'{"a": "\t"}',
        b"[" * 3000 + b"]" * 3000,
    ],
    ids=["nan", "infinity", "surrogate", "escape", "control", "deep"],
)
@pytest.mark.parametrize("pointer", ["", "/data"])
def test_a_record_that_no_parser_takes_does_not_keep_back_the_others(serve, read, record, pointer):
    body = b"[" + b", ".join([b'{"id": 1}', record, b'{"id": 2}']) + b"]"
    server = serve({"/posts": answers(b'{"data": ' + body + b', "total": 3}' if pointer else body)})

    with pytest.raises((ValueError, RecursionError)):
        read(url=server.url + "/posts", records=pointer)
        raise ValueError("Python's own parser takes it")

    pieces = [piece for chunk in read.chunks for piece in jsontext.split(chunk.records)]
    assert pieces == [b'{"id": 1}', record, b'{"id": 2}']


@pytest.mark.parametrize("body", [b'[{"id": 1},]', b'[,{"id": 1}]', b'[{"id": 1},,{"id": 2}]', b'[{"id": 1}}'])
def test_an_array_with_a_gap_is_no_json(serve, read, body):
    with pytest.raises(errors.InvalidJson):
        read(url=serve({"/posts": answers(body)}).url + "/posts")


def test_a_message_shows_what_came_instead(misbehaving, read):
    with pytest.raises(errors.WrongContent) as caught:
        read(url=misbehaving + "/html")

    assert str(caught.value) == (
        f"page 1 of {misbehaving}/html: the body is not JSON (status 200, text/html): <!DOCTYPE html> "
        "<html><title>Sign in</title><body>Please sign in.</body></html>; "
        "check that extract.url is the address of the API, and extract.auth"
    )


def test_a_message_shows_what_the_body_has_where_the_records_are_not(misbehaving, read):
    with pytest.raises(errors.RecordsNotAnArray, match=r"the body is an object \(the body has data, total\); point"):
        read(url=misbehaving + "/object")


# longer than can be held


def test_a_long_page_that_breaks_off_is_not_asked_for_again(serve, read):
    record = json.dumps(post(1)).encode()

    async def breaks_off(exchange: Exchange) -> None:
        await exchange.write(head(200, {"Connection": "close"}) + b"[")
        for _ in range(12):
            await exchange.write(b",".join([record] * (2**20 // len(record))) + b",")

    server = serve({"/posts": breaks_off})

    with pytest.raises(errors.SourceBroken, match="when some of the records had been read"):
        read(url=server.url + "/posts")
    assert len(server.requests) == 1
    assert read.chunks


def test_a_long_page_that_falls_silent_is_broken(serve, read):
    record = json.dumps(post(1)).encode()

    async def falls_silent(exchange: Exchange) -> None:
        await exchange.write(head(200, {"Connection": "close"}) + b"[")
        await exchange.write(b",".join([record] * (2**24 // len(record))) + b",")
        await hangs(exchange)

    with pytest.raises(errors.SourceBroken, match=r"silent for 0\.3 s"):
        read(url=serve({"/posts": falls_silent}).url + "/posts", limits={"timeout": "300ms"})


def test_pages_that_are_read_as_they_arrive_are_paginated_too(serve, read):
    def page(first: int, last: int, following: str | None) -> bytes:
        wide = [record | {"body": "x" * 2000} for record in posts(first, last)]
        return json.dumps({"data": wide, "meta": {"total": 9000, "next": following}}).encode()

    async def handler(exchange: Exchange) -> None:
        second = exchange.query.get("cursor") == "b"
        await exchange.send(200, page(4501, 9000, None) if second else page(1, 4500, "b"))

    records = read(
        url=serve({"/posts": handler}).url + "/posts",
        records="/data",
        pagination={"cursor": {"param": "cursor", "path": "/meta/next"}},
    )

    assert [record["id"] for record in records] == list(range(1, 9001))
    assert len(read.chunks) > 10
    assert read.pages == [4500, 4500]


@pytest.fixture(scope="module")
def long_file(tmp_path_factory) -> Path:
    """A million posts in one array: 243 MiB, packed."""
    path: Path = tmp_path_factory.mktemp("long") / "posts.json.gz"
    block = b",".join([json.dumps(post(1) | {"body": "x" * 200}).encode()] * 10_000)
    packer = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    with path.open("wb") as file:
        file.write(packer.compress(b"["))
        for number in range(100):
            file.write(packer.compress((b"," if number else b"") + block))
        file.write(packer.compress(b"]") + packer.flush())
    return path


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        ("/gzip-bomb", "RecordTooLarge"),
        ("/brotli-bomb", "RecordTooLarge"),
        ("/endless", "MaxBytesExceeded"),
        ("file", "243 MiB"),
    ],
)
def test_reading_takes_bounded_memory_whatever_comes(misbehaving, long_file, address, outcome):
    url = f"file://{long_file}" if address == "file" else misbehaving + address
    document = {"url": url, "limits": {"maxBytes": "100Mi" if address == "/endless" else "1Gi"}}

    program = Path(__file__).with_name("peak.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, program, json.dumps(document)], env=environment, capture_output=True, text=True, check=True
    )

    result = json.loads(done.stdout)
    assert result["outcome"] == outcome
    assert result["grown"] < 64
