"""Whatever a source does, a whole run of it ends in time, in little memory, for a reason, and with nothing loaded."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents import written
from etl_service.load.store import Query, Store
from etl_service.model import Run
from sources import hostile
from sources.memory import MemorySource, serving

from .conftest import Place

MEMORY = 256 * 1024  #: KiB
DEADLINE = 4  #: seconds, of the run
PATIENCE = 12  #: and of the whole program, on a busy machine

BY_PAGE: dict[str, Any] = {"pagination": {"page": {}}}
NEXT_URL: dict[str, Any] = {"records": "/data", "pagination": {"nextUrl": {"path": "/next"}}}


@pytest.fixture(scope="module")
def misbehaving() -> Iterator[str]:
    with hostile.serving() as server:
        yield server.url


@pytest.fixture
def place(place: Place, tmp_path: Path) -> Place:
    """With a table of three rows in it, from a source that behaved."""
    with serving(MemorySource([{"id": number, "title": "good"} for number in range(3)])) as source:
        program(written(tmp_path, source.url, load=place.load), place)
    return place


#: `etl run`, which says last of all how much memory it has had; getrusage would count the parent's from before exec.
PROGRAM = """
import atexit, pathlib, re, runpy
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\\s+([0-9]+) kB", status.read_text())[1]))
runpy.run_module("etl_service", run_name="__main__")
"""


def program(document: Path, place: Place) -> int:
    """Run `etl run` to its end; gives the most memory that it had, in KiB."""
    command = [sys.executable, "-c", PROGRAM, "run", str(document)]
    said = subprocess.run(
        command, env=place.environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout
    return int(said.splitlines()[-1])


@pytest.mark.parametrize(
    ("path", "extract", "reason"),
    [
        ("/500", {}, "SourceFailed"),
        ("/429-tomorrow", {}, "RateLimited"),
        ("/hangs", {}, "SourceTimeout"),
        ("/hangs", {"limits": {"timeout": "1m"}}, "DeadlineExceeded"),
        ("/drips", {"limits": {"timeout": "1m"}}, "DeadlineExceeded"),
        ("/slow-headers", {"limits": {"timeout": "1m"}}, "DeadlineExceeded"),
        ("/resets", {}, "SourceUnreachable"),
        ("/ends-early", {}, "BodyTruncated"),
        ("/truncated", {}, "BodyTruncated"),
        ("/truncated-gzip", {}, "BodyTruncated"),
        ("/gzip-bomb", {}, "RecordTooLarge"),
        ("/brotli-bomb", {}, "RecordTooLarge"),
        ("/endless", {"limits": {"maxBytes": "20Mi"}}, "MaxBytesExceeded"),
        ("/html", {}, "WrongContent"),
        ("/image", {}, "WrongContent"),
        ("/object", {}, "RecordsNotAnArray"),
        ("/same-page", BY_PAGE, "PageRepeated"),
        ("/cycle", NEXT_URL, "PageRepeated"),
        ("/redirect-loop", {}, "RedirectLoop"),
    ],
)
def test_it_fails_the_run_and_nothing_else(
    misbehaving: str, place: Place, tmp_path: Path, path: str, extract: dict[str, Any], reason: str
) -> None:
    limits = {"timeout": "500ms", "retries": 1} | extract.get("limits", {})
    document = written(
        tmp_path,
        misbehaving + path,
        extract={**extract, "limits": limits},
        load=place.load,
        run={"deadline": f"{DEADLINE}s"},
    )

    began = time.monotonic()
    memory = program(document, place)

    ended = newest(place.store)
    assert (ended.status, ended.reason) == ("failed", reason)
    assert ended.counts.add_up
    assert time.monotonic() - began < PATIENCE
    assert memory < MEMORY
    assert titles(place.store) == ["good"] * 3


def test_records_of_the_wrong_shape_are_rejected_one_by_one(misbehaving: str, place: Place, tmp_path: Path) -> None:
    program(written(tmp_path, misbehaving + "/wrong-shape", load=place.load), place)

    assert newest(place.store).status == "succeeded"
    assert newest(place.store).counts.rejected == len(place.store.rejects("default/posts")) == 5
    assert titles(place.store) == ["good"] * 3


def test_a_source_that_recovers_in_time_is_loaded(place: Place, tmp_path: Path) -> None:
    extract = {"limits": {"retries": 2}}
    with hostile.serving() as recovering:
        program(written(tmp_path, recovering.url + "/500-then-200", extract=extract, load=place.load), place)

    assert newest(place.store).status == "succeeded"
    assert newest(place.store).retries == 1


def newest(store: Store) -> Run:
    run = store.last("default/posts")
    assert run is not None
    return run


def titles(store: Store) -> list[object]:
    table = store.table("posts")
    assert table is not None
    return [row[1] for row in store.rows(table, Query(limit=None)).rows]
