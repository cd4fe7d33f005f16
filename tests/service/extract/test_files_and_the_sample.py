"""Sources that are not asked over HTTP."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from etl_service.extract import errors, open_source
from etl_service.extract.sample import posts as sample_posts
from etl_service.spec import Extract
from sources.hostile import posts

BODY = json.dumps({"data": posts(1, 100), "total": 100}).encode()
LINES = b"\n".join(json.dumps(record).encode() for record in posts(1, 100))


@pytest.mark.parametrize(
    ("name", "content", "pointer"),
    [
        ("posts.json", BODY, "/data"),
        ("posts.json.gz", gzip.compress(BODY), "/data"),
        ("posts", gzip.compress(BODY), "/data"),
        ("posts.gz", BODY, "/data"),  # the content decides, not the name
        ("posts.ndjson", LINES, ""),
        ("posts.jsonl", LINES + b"\n", ""),
        ("posts.ndjson.gz", gzip.compress(LINES), ""),
        ("über die posts.json", BODY, "/data"),
    ],
)
def test_a_file_is_read_whatever_it_is_packed_in(read, name, content, pointer):
    (read.base / name).write_bytes(content)

    assert read(url=f"file:{name.replace(' ', '%20')}", records=pointer) == posts(1, 100)
    assert read.stats.pages == 1
    assert read.stats.requests == {}


def test_a_relative_path_starts_at_the_base_an_absolute_one_does_not(read, tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "posts.json").write_bytes(BODY)

    assert len(read(url="file:deep/posts.json", records="/data")) == 100
    read.base = Path("/")
    assert len(read(url=f"file://{folder}/posts.json", records="/data")) == 100
    assert len(read(url=f"file://localhost{folder}/posts.json", records="/data")) == 100


def test_a_file_that_is_not_there_is_an_error_that_says_where_it_was_sought(read):
    with pytest.raises(errors.FileUnreadable, match=f"{read.base}/posts.json cannot be read: No such file"):
        read(url="file:posts.json")


def test_what_is_no_file_is_refused_rather_than_waited_for(read):
    os.mkfifo(read.base / "pipe")
    (read.base / "folder").mkdir()

    for name in ("pipe", "folder"):
        with pytest.raises(errors.FileUnreadable, match=f"{name} is not a file"):
            read(url=f"file:{name}")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", errors.InvalidJson),
        (b"<html>", errors.WrongContent),
        (BODY[:-9], errors.BodyTruncated),
        (gzip.compress(BODY)[:-9], errors.BodyTruncated),
        (bz2.compress(BODY), errors.InvalidJson),
    ],
    ids=["empty", "html", "cut", "cut gzip", "bzip2"],
)
def test_a_file_that_is_something_else_is_an_error_that_names_it(read, content, error):
    (read.base / "posts.json").write_bytes(content)

    with pytest.raises(error, match=r"page 1 of file:posts\.json: "):
        read(url="file:posts.json", records="/data")


def test_the_limit_on_bytes_is_for_files_too(read):
    (read.base / "posts.json").write_bytes(BODY)

    with pytest.raises(errors.MaxBytesExceeded):
        read(url="file:posts.json", records="/data", limits={"maxBytes": "1k"})


# the sample


@pytest.mark.parametrize("url", ["sample:", "sample:posts"])
def test_the_sample_is_a_hundred_posts_the_same_every_time(read, url):
    first, second = read(url=url), read(url=url)

    assert first == second == sample_posts()
    assert len(first) == 100
    assert all(record.keys() == {"userId", "id", "title", "body"} for record in first)


def test_a_few_posts_of_the_sample_are_dirty_and_three_do_not_fit_the_posts_mapping(read):
    records = read(url="sample:posts")

    kinds = Counter(type(record["id"]).__name__ for record in records)
    assert kinds == {"int": 97, "str": 1, "NoneType": 1, "float": 1}
    assert {record["userId"] for record in records} >= {"abc", "9"}
    assert [record["id"] for record in records if not fits(record)] == [None, 42, 64.5]
    assert any(record["body"] is None for record in records)
    assert any("<p>" in (record["body"] or "") for record in records)
    assert any(record["title"] != record["title"].strip() for record in records)


def fits(record) -> bool:
    """Whether id and userId are integers, or texts of one."""
    return all(isinstance(record[name], int) or str(record[name]).isdecimal() for name in ("id", "userId"))


def test_httpx_is_not_imported_where_nothing_is_asked_over_http():
    program = """
import asyncio, sys
from pathlib import Path
from etl_service.extract import open_source
from etl_service.spec import Extract

async def main():
    async with open_source(Extract(url="sample:"), base=Path(), secrets=None) as source:
        return [chunk async for chunk in source.chunks()]

assert asyncio.run(main())
print([name for name in ("httpx", "brotli") if name in sys.modules])
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


# what cannot be opened


def test_an_address_of_another_kind_is_refused(read):
    document = Extract.model_construct(url="ftp://source.test/posts", records="")

    async def attempt() -> None:
        async with open_source(document, base=read.base, secrets=lambda secret, path: ""):
            pass

    with pytest.raises(errors.AddressUnusable, match="begins with none of https:"):
        asyncio.run(attempt())
