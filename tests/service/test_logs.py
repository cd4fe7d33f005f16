"""Lines of the log."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from etl_service import logs

log = logging.getLogger("etl_service.example")


@pytest.fixture
def written() -> Iterator[Callable[..., io.StringIO]]:
    """Begin to write: ``written("json")`` gives what is written from then on."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def written(format: Any, level: Any = "info") -> io.StringIO:
        stream = io.StringIO()
        logs.configure(format, level, stream)
        return stream

    yield written
    logs.bind(run=None)
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_of_json_has_all_that_was_said(written: Callable[..., io.StringIO]) -> None:
    stream = written("json")

    log.info("loaded %s", "posts", extra={"rows": 3})

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "loaded posts", "level": "info", "logger": "etl_service.example", "rows": 3}


def test_the_runs_id_is_on_every_line_from_whichever_thread(written: Callable[..., io.StringIO]) -> None:
    stream = written("json")
    logs.bind(run="r-1")

    log.info("here")
    writer = threading.Thread(target=lambda: log.info("there"))
    writer.start()
    writer.join()

    assert [json.loads(line)["run"] for line in stream.getvalue().splitlines()] == ["r-1", "r-1"]


def test_a_line_for_eyes_is_one_line(written: Callable[..., io.StringIO]) -> None:
    stream = written("console")
    logs.bind(run="r-1")

    log.warning("slow", extra={"seconds": 3})

    assert "slow" in stream.getvalue() and "run=r-1" in stream.getvalue() and "seconds=3" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_traceback_is_in_the_line(written: Callable[..., io.StringIO]) -> None:
    stream = written("json")

    try:
        raise ZeroDivisionError("oh")
    except ZeroDivisionError:
        log.exception("it broke")

    assert "ZeroDivisionError: oh" in json.loads(stream.getvalue())["exception"]


def test_what_is_below_the_level_is_not_written(written: Callable[..., io.StringIO]) -> None:
    stream = written("json", "warning")

    log.info("not this")
    log.warning("this")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["this"]


def test_libraries_that_log_urls_do_not_where_a_key_may_be_in_one(written: Callable[..., io.StringIO]) -> None:
    stream = written("json", "debug")

    logging.getLogger("httpx").info("HTTP Request: GET https://example.com/?key=s3cret")

    assert stream.getvalue() == ""


def test_structlog_is_paid_for_with_the_first_line() -> None:
    quiet = (
        "import sys; from etl_service import logs; logs.configure('json', 'info'); print('structlog' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", quiet], capture_output=True, text=True, check=True).stdout == "False\n"
