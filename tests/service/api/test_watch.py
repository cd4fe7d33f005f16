"""What the service does unasked."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl_service.api import watch as watching
from etl_service.api.watch import Timetable, watch
from etl_service.load.errors import Busy, DatabaseUnavailable
from etl_service.model import Run
from etl_service.runs import World
from etl_service.spec import Schedule

from .conftest import POSTS, InProcess

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUARTERLY = Schedule(cron="*/15 * * * *")


class TestTimetable:
    def test_a_moment_is_told_once_when_it_has_come(self) -> None:
        timetable = Timetable(QUARTERLY, NOON)

        assert timetable.due(NOON + timedelta(minutes=14, seconds=59)) is None
        assert timetable.due(NOON + timedelta(minutes=15)) == NOON + timedelta(minutes=15)
        assert timetable.due(NOON + timedelta(minutes=15, seconds=1)) is None
        assert timetable.due(NOON + timedelta(minutes=30)) == NOON + timedelta(minutes=30)

    def test_moments_that_passed_while_nobody_asked_are_one(self) -> None:
        timetable = Timetable(QUARTERLY, NOON)

        assert timetable.due(NOON + timedelta(days=2, minutes=1)) == NOON + timedelta(days=2)
        assert timetable.due(NOON + timedelta(days=2, minutes=2)) is None

    def test_moments_before_its_making_are_not_told(self) -> None:
        timetable = Timetable(QUARTERLY, NOON)

        assert timetable.due(NOON) is None

    def test_a_clock_that_goes_back_tells_no_moment_twice(self) -> None:
        timetable = Timetable(QUARTERLY, NOON)
        assert timetable.due(NOON + timedelta(minutes=15))

        assert timetable.due(NOON - timedelta(hours=1)) is None
        assert timetable.due(NOON + timedelta(minutes=20)) is None


class TestWatch:
    """Of a service whose clock goes on by a minute from one look to the next."""

    @pytest.fixture
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        monkeypatch.setattr(watching, "TICK", 0.001)

        def looks(service: InProcess, until: Callable[[], object]) -> None:
            async def watched() -> None:
                task = asyncio.create_task(watch(service.service))
                async with asyncio.timeout(10):
                    while not until():
                        await asyncio.sleep(0.001)
                task.cancel()

            asyncio.run(watched())

        return looks

    @pytest.fixture
    def scheduled(self, make: Callable[..., InProcess], document: Path, tmp_path: Path) -> InProcess:
        document.write_text(POSTS + '  schedule: {cron: "*/15 * * * *"}\n')
        minutes = iter(range(100_000))
        return make(document, world=World(base=tmp_path, clock=lambda: NOON + timedelta(minutes=next(minutes))))

    def launches(
        self, service: InProcess, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None
    ) -> list[str]:
        """What the launcher is asked for from now on: request ids."""
        asked: list[str] = []

        async def launch(*arguments: Any) -> Run:
            asked.append(arguments[-1])
            if error:
                raise error
            return Run(id="r", pipeline="posts", trigger="schedule", started_at="2026-01-01T00:00:00.000000Z")

        monkeypatch.setattr(service.service.launcher, "launch", launch)
        return asked

    def test_a_run_whose_process_is_lost_is_ended(self, posts: InProcess, looks: Callable[..., None]) -> None:
        claim = posts.store.claim("default/posts")
        claim.begin(Run(id="lost", pipeline="posts", trigger="cli", started_at="2026-01-01T00:00:00.000000Z"))
        claim.__exit__(None, None, None)

        looks(posts, until=lambda: posts.store.running("default/posts") is None)

        lost = posts.store.run("lost")
        assert lost and (lost.status, lost.reason) == ("interrupted", "ProcessLost")

    def test_a_document_that_suspends_the_pipeline_is_followed_and_nothing_else_of_it(
        self, posts: InProcess, document: Path, looks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.launches(posts, monkeypatch)
        text = document.read_text()
        for change, suspended in (("suspend: true", True), ("suspend: nonsense", True), ("suspend: false", False)):
            document.write_text(f"{text}  {change}\n")
            looks(posts, until=lambda wanted=suspended: posts.service.pipeline.spec.suspend is wanted)
            assert posts.ask("POST", "/etl/run").status_code == (409 if suspended else 202)
        document.write_text(text.replace("table: posts", "table: others") + "  suspend: true\n")
        posts.service.follow()

        assert not posts.service.pipeline.spec.suspend

    def test_scheduled_runs_begin_with_their_moment_as_their_id(
        self, scheduled: InProcess, looks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = self.launches(scheduled, monkeypatch)

        looks(scheduled, until=lambda: len(asked) >= 3)

        assert asked[:3] == ["schedule-20260101T1215Z", "schedule-20260101T1230Z", "schedule-20260101T1245Z"]

    def test_one_that_another_service_has_begun_is_not_begun_again(
        self, scheduled: InProcess, looks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = self.launches(scheduled, monkeypatch)
        with scheduled.store.claim("default/posts") as claim:
            run = Run(
                id="theirs",
                pipeline="posts",
                trigger="schedule",
                request_id="schedule-20260101T1215Z",
                started_at="2026-01-01T12:15:00.000000Z",
            )
            claim.begin(run)
            claim.end(run.model_copy(update={"status": "failed", "ended_at": "2026-01-01T12:15:01.000000Z"}))

        looks(scheduled, until=lambda: asked)

        assert asked[0] == "schedule-20260101T1230Z"

    @pytest.mark.parametrize(
        "error", [Busy("default/posts", "r"), DatabaseUnavailable("gone; wait"), ZeroDivisionError()]
    )
    def test_one_that_cannot_begin_is_logged_and_the_next_one_comes(
        self,
        scheduled: InProcess,
        looks: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        error: Exception,
    ) -> None:
        asked = self.launches(scheduled, monkeypatch, error)

        with caplog.at_level(logging.INFO):
            looks(scheduled, until=lambda: len(asked) >= 2)

        assert caplog.records

    def test_a_suspended_pipeline_keeps_no_schedule(
        self,
        make: Callable[..., InProcess],
        document: Path,
        tmp_path: Path,
        looks: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        document.write_text(POSTS + '  suspend: true\n  schedule: {cron: "* * * * *"}\n')
        minutes = iter(range(100_000))
        service = make(document, world=World(base=tmp_path, clock=lambda: NOON + timedelta(minutes=next(minutes))))
        asked = self.launches(service, monkeypatch)

        looks(service, until=lambda: next(minutes) > 100)

        assert not asked

    def test_a_database_that_is_away_is_one_line_in_the_log(
        self,
        empty: InProcess,
        looks: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        looked = 0

        def gone(pipeline: str) -> None:
            nonlocal looked
            looked += 1
            raise DatabaseUnavailable("the disk is away; bring it back")

        monkeypatch.setattr(empty.store, "running", gone)

        looks(empty, until=lambda: looked > 10)

        assert [record.message for record in caplog.records] == ["the disk is away; bring it back"]

    def test_a_schedule_that_something_else_keeps_is_left_to_it(
        self,
        make: Callable[..., InProcess],
        document: Path,
        tmp_path: Path,
        looks: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        document.write_text(POSTS + '  schedule: {cron: "* * * * *"}\n')
        minutes = iter(range(100_000))
        world = World(base=tmp_path, clock=lambda: NOON + timedelta(minutes=next(minutes)))
        scheduled = make(document, world=world, keep_schedule=False)
        asked = self.launches(scheduled, monkeypatch)
        ticks = iter(range(50))

        looks(scheduled, until=lambda: next(ticks, None) is None)

        assert asked == []

    def test_what_others_know_of_lost_runs_completes_the_history(
        self,
        make: Callable[..., InProcess],
        document: Path,
        tmp_path: Path,
        looks: Callable[..., None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        told = tmp_path / "lost.json"
        service = make(document, lost_runs=told)
        moment = "2026-01-01T12:00:00Z"
        cause = {"reason": "Evicted", "message": "evicted from its node", "started_at": moment, "ended_at": moment}
        told.write_text("no list")
        looks(service, until=lambda: "is no list of lost runs" in caplog.text)
        told.write_text(json.dumps([{"request_id": "one", "trigger": "request", **cause}]))

        looks(service, until=lambda: service.store.requested("default/posts", "one"))

        run = service.store.requested("default/posts", "one")
        assert run is not None and (run.status, run.reason) == ("failed", "Evicted")
