"""The table in numbers, for people and for Prometheus; and what probes are told."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl_service import runs
from etl_service.load.errors import DatabaseUnavailable
from etl_service.runs import World

from .conftest import POSTS, InProcess


class Samples:
    """Samples by their name and their labels' values, in any order."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        samples = [sample for family in families for sample in family.samples]
        self._values = {frozenset((each.name, *each.labels.values())): each.value for each in samples}

    def __getitem__(self, words: tuple[str, ...]) -> float:
        return self._values[frozenset(words)]

    def __contains__(self, words: tuple[str, ...]) -> bool:
        return frozenset(words) in self._values


def samples(service: InProcess) -> Samples:
    answer = service.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return Samples(answer.text)


class TestStats:
    def test_rows_columns_nulls_size_and_the_last_run(self, posts: InProcess) -> None:
        stats = posts.get("/stats").json()

        assert (stats["pipeline"], stats["table"], stats["rows"]) == ("posts", "posts", 97)
        assert stats["columns"][0] == {"name": "id", "type": "integer", "nulls": 0}
        assert stats["columns"][3] == {"name": "body", "type": "text", "nulls": 1}
        assert [column["name"] for column in stats["columns"][-2:]] == ["loaded_at", "run_id"]
        assert stats["bytes"] > 0
        assert stats["last_run"] == posts.get("/etl/runs").json()[0]

    def test_before_the_first_run_there_is_nothing(self, empty: InProcess) -> None:
        stats = empty.get("/stats").json()

        assert (stats["rows"], stats["columns"], stats["last_run"]) == (0, [], None)
        assert stats["freshness"] == {"checked_at": None, "changed_at": None, "seconds": None}

    def test_fresh_is_what_a_run_has_checked_changed_or_not(
        self, make: Callable[..., InProcess], document: Path, tmp_path: Path
    ) -> None:
        # given a first run, and a second a day later that changes nothing
        now = datetime(2026, 1, 1, tzinfo=UTC)
        world = World(base=tmp_path, clock=lambda: now)
        posts = make(document, world=world)
        posts.run()
        now += timedelta(days=1)
        posts.run()

        # when, an hour later
        now += timedelta(hours=1)
        freshness = posts.get("/stats").json()["freshness"]

        # then
        assert freshness == {
            "checked_at": "2026-01-02T00:00:00.000000Z",
            "changed_at": "2026-01-01T00:00:00.000000Z",
            "seconds": 3600.0,
        }

    def test_a_run_is_seen_in_the_next_numbers(self, empty: InProcess) -> None:
        assert empty.get("/stats").json()["rows"] == 0

        empty.run()

        assert empty.get("/stats").json()["rows"] == 97

    def test_the_table_is_counted_once_for_each_run(self, posts: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        counted = 0
        stats = posts.store.stats

        def counting(table: Any) -> Any:
            nonlocal counted
            counted += 1
            return stats(table)

        monkeypatch.setattr(posts.store, "stats", counting)
        for _ in range(3):
            posts.get("/stats")
            posts.get("/metrics")
        posts.run()
        posts.get("/stats")

        assert counted == 2

    def test_a_schedule_says_when_it_runs_next(
        self, make: Callable[..., InProcess], document: Path, tmp_path: Path
    ) -> None:
        document.write_text(POSTS + '  schedule: {cron: "0 3 * * *"}\n')
        world = World(base=tmp_path, clock=lambda: datetime(2026, 1, 1, 12, tzinfo=UTC))
        posts = make(document, world=world)

        assert posts.get("/stats").json()["next_run_at"] == "2026-01-02T03:00:00Z"
        assert posts.get("/etl/pipeline").json()["status"] == {"nextScheduleTime": "2026-01-02T03:00:00.000000Z"}


class TestMetrics:
    def test_runs_rows_and_phases_are_summed_over_all_runs(self, posts: InProcess) -> None:
        posts.run()

        found = samples(posts)

        assert found["etl_runs_total", "default", "posts", "succeeded"] == 2
        assert found["etl_records_total", "default", "posts", "inserted"] == 97
        assert found["etl_records_total", "default", "posts", "unchanged"] == 97
        assert found["etl_records_total", "default", "posts", "rejected"] == 6
        assert found["etl_phase_seconds_total", "default", "posts", "load"] > 0
        assert found["etl_source_pages_total", "default", "posts"] == 2
        assert found["etl_table_rows", "default", "posts"] == 97
        assert found["etl_run_in_progress", "default", "posts"] == 0
        assert abs(found["etl_last_success_timestamp_seconds", "default", "posts"] - datetime.now(UTC).timestamp()) < 60

    def test_the_last_run_is_told_however_it_ended(
        self, make: Callable[..., InProcess], document: Path, tmp_path: Path
    ) -> None:
        # given a run that succeeds, and an hour later one that does not, each as long as a clock takes for it
        now = datetime(2026, 1, 1, tzinfo=UTC)

        def clock() -> datetime:
            nonlocal now
            now += timedelta(seconds=1)
            return now

        posts = make(document, world=World(base=tmp_path, clock=clock))
        posts.run()
        succeeded = samples(posts)["etl_last_success_timestamp_seconds", "default", "posts"]
        now += timedelta(hours=1)
        document.write_text(POSTS.replace("transform:", "transform:\n    onError: fail"))
        failing = make(document, world=World(base=tmp_path, clock=clock))
        failed = asyncio.run(runs.run(failing.pipeline, failing.store, trigger="cli", world=failing.service.world))
        assert failed.status == "failed", failed.message

        # when
        found = samples(failing)

        # then
        assert found["etl_last_success_timestamp_seconds", "default", "posts"] == succeeded
        assert found["etl_last_run_end_timestamp_seconds", "default", "posts"] >= succeeded + 3600
        assert 0 < found["etl_last_run_duration_seconds", "default", "posts"] < 60
        assert found["etl_runs_total", "default", "posts", "failed"] == 1

    def test_the_volume_is_told_as_the_system_has_it(self, posts: InProcess, tmp_path: Path) -> None:
        found, volume = samples(posts), shutil.disk_usage(tmp_path)

        assert found["etl_volume_size_bytes", "default", "posts"] == volume.total
        assert found["etl_volume_free_bytes", "default", "posts"] == pytest.approx(volume.free, rel=0.1)

    def test_what_has_not_happened_yet_is_0_so_that_its_first_time_is_an_increase(self, empty: InProcess) -> None:
        found = samples(empty)

        assert found["etl_runs_total", "default", "posts", "failed"] == 0
        assert found["etl_records_total", "default", "posts", "rejected"] == 0
        assert found["etl_source_retries_total", "default", "posts"] == 0

    def test_before_the_first_run_there_is_no_last_success(self, empty: InProcess) -> None:
        found = samples(empty)

        assert ("etl_last_success_timestamp_seconds", "default", "posts") not in found
        assert found["etl_run_in_progress", "default", "posts"] == 0

    def test_requests_are_counted_under_their_routes_template(self, posts: InProcess) -> None:
        posts.get("/etl/runs/one")
        posts.get("/api/etl/runs/two")
        posts.get("/posts")
        posts.ask("PUT", "/posts")

        found = samples(posts)

        assert found["etl_http_requests_total", "GET", "/etl/runs/{id}", "404"] == 2
        assert found["etl_http_requests_total", "GET", "/posts", "200"] == 1
        assert found["etl_http_requests_total", "PUT", "/posts", "405"] == 1
        assert found["etl_http_request_duration_seconds_count", "GET", "/posts"] == 1

    def test_nothing_of_a_request_is_told_but_its_route(self, make: Callable[..., InProcess], document: Path) -> None:
        posts = make(document, api_token="canary-token")
        headers = {"Authorization": "Bearer canary-token", "User-Agent": "canary-agent"}

        posts.get("/etl/runs/canary-id?q=canary-query", headers=headers)
        posts.ask("POST", "/canary-path", headers=headers, content=b"canary-body")

        assert "canary" not in posts.get("/metrics").text

    def test_unknown_paths_and_methods_are_one_route(self, posts: InProcess) -> None:
        for number in range(5):
            posts.ask(f"METHOD{number}", f"/scan/{number}")

        found = samples(posts)

        assert found["etl_http_requests_total", "other", "none", "404"] == 5


class TestProbes:
    def test_a_process_that_answers_is_healthy(self, empty: InProcess) -> None:
        assert empty.get("/health").json() == {"status": "ok"}
        assert empty.get("/api/health").json() == {"status": "ok"}

    def test_it_is_ready_when_the_database_answers(self, empty: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        assert empty.get("/ready").json() == {"status": "ok"}

        def gone() -> None:
            raise DatabaseUnavailable("there is no database; run the pipeline once to make it")

        monkeypatch.setattr(empty.store, "check", gone)
        answer = empty.get("/ready")
        assert (answer.status_code, answer.json()["reason"]) == (503, "DatabaseUnavailable")
        assert empty.get("/health").status_code == 200

    def test_it_is_not_ready_while_it_stops(self, empty: InProcess) -> None:
        empty.service.stopping.set()

        assert empty.get("/ready").json()["reason"] == "Stopping"
