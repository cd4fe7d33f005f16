"""A real Chromium, and sites to look at with it. What a page says on the console, or asks of others, fails its test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from frontend.sites import HOSTS, PIPELINES, Serve, Site

#: A network interface has come or gone on this machine, containers of other tests for instance: no fault of the page.
_NOT_OURS = "ERR_NETWORK_CHANGED"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "console(words): what the browser may say on its console in this test")


@pytest.fixture(scope="module")  # while it is there, no other test can have an event loop in this thread
def browser() -> Iterator[Browser]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium here: apt-get install chromium, or name one in CHROMIUM")
    expect.set_options(timeout=15_000)  # the machine may have other things to do
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=list(HOSTS))
def host(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Who serves the page."""
    if request.param == "nginx":
        request.getfixturevalue("images")
    with HOSTS[request.param]() as serve:
        yield serve


@pytest.fixture
def site(host: Serve, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serve a document: ``site(document)``; more are environment variables."""
    with ExitStack() as sites:
        numbers = iter(range(10))

        def serve(document: Path = PIPELINES / "sample.yaml", **environ: str) -> Site:
            folder = tmp_path / f"site-{next(numbers)}"
            folder.mkdir()
            served = sites.enter_context(host(document, folder, environ))
            return served

        yield serve


@pytest.fixture(scope="session")
def posts(host: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The sample after two runs: 97 rows, 3 rejected. For who only looks."""
    with host(PIPELINES / "sample.yaml", tmp_path_factory.mktemp("posts"), {}) as site:
        site.run()
        site.run()
        yield site


class Look:
    """Opens pages, and remembers what was wrong with them."""

    def __init__(self, browser: Browser, expected: tuple[str, ...]) -> None:
        self.troubles: list[str] = []
        self._browser = browser
        self._expected = (*expected, _NOT_OURS)
        self._contexts = ExitStack()

    def __call__(self, site: Site, path: str = "#/", *, width: int = 1280, **context: Any) -> Page:
        options: dict[str, Any] = {
            "locale": "en",
            "reduced_motion": "reduce",
            "viewport": {"width": width, "height": 800},
        }
        opened = self._browser.new_context(**(options | context))
        self._contexts.callback(opened.close)
        page = opened.new_page()
        page.set_default_timeout(15_000)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self._note(f"{error}"))
        page.on("request", lambda request: self._note_foreign(request, site.url))
        page.on("dialog", self._note_dialog)
        page.goto(f"{site.url}/{path}")
        return page

    def close(self) -> None:
        self._contexts.close()

    def _note(self, trouble: str) -> None:
        if not any(words in trouble for words in self._expected):
            self.troubles.append(trouble)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(message.text)

    def _note_dialog(self, dialog: Dialog) -> None:
        self._note(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _note_foreign(self, request: Request, url: str) -> None:
        if not request.url.startswith((f"{url}/", "blob:", "data:")):
            self._note(f"asked another host: {request.url}")


@pytest.fixture
def look(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Look]:
    """Open a page: ``look(site, "#/data", width=360, locale="fr", color_scheme="dark")``.

    The test fails for what the page says on the console; a mark ``console("words")`` says what is expected there.
    """
    mark = request.node.get_closest_marker("console")
    look = Look(browser, mark.args if mark else ())
    yield look
    look.close()
    assert look.troubles == []
