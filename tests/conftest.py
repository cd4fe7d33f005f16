"""What all tests can ask for; and with ``TEST_ALL=1``, as CI sets it, none that is left out for want of something."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack

import pytest

from images.engine import ROOT, why_no_engine
from sources import jsonplaceholder as source
from sources import postgres as database
from sources.jsonplaceholder import Changes


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("TEST_ALL") == "1":
        report.outcome, report.longrepr = "failed", f"with TEST_ALL=1 nothing is skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def jsonplaceholder() -> Iterator[str]:
    """The URL of the real jsonplaceholder: 100 posts at ``/posts``, in linked pages at ``/posts?_page=1&_limit=10``."""
    with source.serving() as url:
        yield url


@pytest.fixture
def changed_jsonplaceholder() -> Iterator[Callable[[Changes], str]]:
    """Start one that differs: ``changed_jsonplaceholder({"posts": {1: {"title": "new"}}})`` gives its URL."""
    with ExitStack() as servers:
        yield lambda changes: servers.enter_context(source.serving(changes))


@pytest.fixture(scope="session")
def postgres() -> Iterator[database.Server]:
    """A PostgreSQL server, for those who leave it as it is. Skips where none can be run."""
    if reason := database.why_none():
        pytest.skip(reason)
    with database.serving() as server:
        yield server


@pytest.fixture(scope="session")
def images() -> None:
    """The images, built once for all tests as `make images` builds them. Skips where no containers can be run."""
    if reason := why_no_engine():
        pytest.skip(reason)
    built = subprocess.run(["make", "images"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
