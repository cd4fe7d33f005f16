"""Takes the README's pictures of the page: ``make screenshots``. Needs Chromium.

The page is the real one, before a real service, with the sample and a day of its runs; only the time stands still.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import yaml
from playwright.sync_api import Browser, Route, expect, sync_playwright

from etl_service.api.app import create_app
from etl_service.api.server import listen, serve
from etl_service.extract.sample import posts
from etl_service.load import open_store
from etl_service.runs import World, run
from etl_service.settings import Settings
from etl_service.spec import load_pipeline

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs/images"
WIDTH, HEIGHT = 1280, 720
NOW = datetime(2026, 3, 2, 14, 4, tzinfo=UTC)


@dataclass(frozen=True)
class Shot:
    name: str
    view: str
    theme: Literal["light", "dark"]
    at: str | None = None  #: what is to be at the top


SHOTS = (
    Shot("overview", "#/", "light"),
    Shot("data", "#/data?q=river&sort=-id&size=25", "light"),
    Shot("preview", "#/preview?n=10", "dark", at='article[aria-label="Record 7"]'),
)


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no Chromium here: apt-get install chromium, or name one in CHROMIUM")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        _fill(Path(folder))
        with _serving(Path(folder)) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for shot in SHOTS:
                _shoot(browser, url, shot)
            browser.close()


def _fill(folder: Path) -> None:
    """A day of runs: more posts each hour, and once a run that fails because some do not fit."""
    store = open_store(load_pipeline(_document(folder)).spec.load, folder / "etl.db", World().read_secret)
    hours = 29
    for hour in range(hours + 1):
        changes: dict[str, Any] = {}
        if hour < hours:  # the last run is of the sample as it is
            (folder / "posts.json").write_text(json.dumps(posts()[: 40 + 2 * hour]))
            changes["extract"] = {"url": "file:posts.json"}
            changes["transform"] = {"maxErrors": 0} if hour == 17 else {}
        pipeline = load_pipeline(_document(folder, **changes))
        began = NOW - timedelta(hours=hours - hour, minutes=4)
        pace = timedelta(milliseconds=40 + 3 * hour + 11 * (hour % 5) + 29 * (hour % 7 == 2))
        world = World(base=folder, clock=_walking(began, pace), suffix=lambda: "c0ffee")
        asyncio.run(run(pipeline, store, trigger="schedule" if hour else "cli", world=world))
    store.close()


def _document(folder: Path, **changes: dict[str, Any]) -> Path:
    """The sample's document, each hour, with changes to its parts."""
    document = yaml.safe_load((ROOT / "pipelines/sample.yaml").read_text())
    document["spec"]["schedule"] = {"cron": "0 * * * *"}
    for part, changed in changes.items():
        document["spec"][part] |= changed
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _walking(began: datetime, pace: timedelta) -> Callable[[], datetime]:
    """A clock that goes on whenever somebody looks."""
    looks = count()
    return lambda: began + next(looks) * pace


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    listener = listen("127.0.0.1", 0)
    process = get_context("fork").Process(target=_serve, args=(folder, listener))
    process.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.terminate()
        process.join()


def _serve(folder: Path, listener: socket.socket) -> None:
    document = _document(folder)
    pipeline = load_pipeline(document)
    store = open_store(pipeline.spec.load, folder / "etl.db", World().read_secret)
    serve(create_app(pipeline, document, store, Settings(), World(base=folder, clock=lambda: NOW)), listener)


def _shoot(browser: Browser, url: str, shot: Shot) -> None:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT},
        locale="en",
        timezone_id="UTC",
        color_scheme=shot.theme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.clock.set_fixed_time(NOW)
    page.route("**/api/**", _at_that_time)
    page.goto(f"{url}/{shot.view}")
    expect(page.locator("main h1")).to_be_attached()
    expect(page.locator(".skeleton")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    if shot.at:
        page.locator(shot.at).evaluate("node => scrollTo(0, node.getBoundingClientRect().top + scrollY - 84)")
    page.screenshot(path=PICTURES / f"{shot.name}.png", animations="disabled")
    page.unroute_all(behavior="ignoreErrors")
    context.close()


def _at_that_time(route: Route) -> None:
    """The page sets its clock by the service's answers."""
    answer = route.fetch()
    route.fulfill(response=answer, headers=answer.headers | {"date": format_datetime(NOW, usegmt=True)})


if __name__ == "__main__":
    main()
