"""Runs over REST, as far as they need no process of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from etl_service.api.events import events
from etl_service.load.errors import Busy
from etl_service.model import Run
from etl_service.runs.errors import NothingToReplay
from etl_service.spec import EtlPipeline

from .conftest import POSTS, InProcess


@pytest.fixture
def three(posts: InProcess) -> InProcess:
    posts.run()
    posts.run()
    return posts


def running(service: InProcess, run_id: str = "20260101-000000-aaaaaa") -> Any:
    """A run that another process is in the middle of."""
    claim = service.store.claim(service.pipeline.full_name)
    claim.begin(Run(id=run_id, pipeline="posts", trigger="cli", started_at="2026-01-01T00:00:00.000000Z"))
    return claim


class TestHistory:
    def test_runs_come_newest_first(self, three: InProcess) -> None:
        found = three.get("/etl/runs").json()

        assert [run["counts"]["inserted"] for run in found] == [0, 0, 97]

    def test_pages_lead_from_one_to_the_next(self, three: InProcess) -> None:
        every = [run["id"] for run in three.get("/etl/runs").json()]
        url, walked = httpx.URL("http://localhost/etl/runs?limit=2"), []
        while True:
            answer = three.get(str(url))
            walked += [run["id"] for run in answer.json()]
            if "next" not in answer.links:
                break
            url = url.join(answer.links["next"]["url"])

        assert walked == every

    def test_runs_of_a_status(self, three: InProcess) -> None:
        assert len(three.get("/etl/runs?status=succeeded").json()) == 3
        assert three.get("/etl/runs?status=failed").json() == []

    def test_before_a_run_that_is_not_there(self, three: InProcess) -> None:
        assert three.get("/etl/runs?before=nope").status_code == 404

    def test_one_run_is_the_same_record_as_on_the_command_line(self, posts: InProcess) -> None:
        record = posts.get("/etl/runs").json()[0]

        found = posts.get(f"/etl/runs/{record['id']}").json()

        assert found == record
        assert found["counts"] == {
            "fetched": 100, "inserted": 97, "updated": 0, "unchanged": 0, "rejected": 3, "skipped": 0, "deleted": 0,
        }  # fmt: skip

    def test_another_pipelines_run_is_not_here(
        self, posts: InProcess, make: Callable[..., InProcess], tmp_path: Path
    ) -> None:
        other = tmp_path / "other.yaml"
        other.write_text(POSTS.replace("name: posts}", "name: others}").replace("table: posts", "table: others"))
        run_id = posts.get("/etl/runs").json()[0]["id"]

        assert make(other).get(f"/etl/runs/{run_id}").status_code == 404


class TestRejects:
    def test_what_a_run_rejected_is_kept_as_it_came(self, posts: InProcess) -> None:
        run_id = posts.get("/etl/runs").json()[0]["id"]

        rejects = posts.get(f"/etl/runs/{run_id}/rejects").json()

        assert (rejects[0]["field"], rejects[0]["reason"]) == ("id", "Required")
        assert {each["run_id"] for each in rejects} == {run_id}
        assert rejects[0]["url"] == "sample:posts"
        assert rejects[0]["record"]["id"] is None

    def test_pages_lead_from_one_to_the_next(self, posts: InProcess) -> None:
        run_id = posts.get("/etl/runs").json()[0]["id"]
        first = posts.get(f"/etl/runs/{run_id}/rejects?limit=2")

        second = posts.get(f"/etl/runs/{run_id}/rejects{first.links['next']['url']}")

        assert (len(first.json()), len(second.json())) == (2, 1)
        assert "next" not in second.links

    def test_of_a_run_that_is_not_there(self, posts: InProcess) -> None:
        assert posts.get("/etl/runs/nope/rejects").status_code == 404


class TestCancel:
    def test_a_running_run_is_asked_to_end(self, empty: InProcess) -> None:
        with running(empty) as claim:
            answer = empty.ask("DELETE", "/etl/runs/20260101-000000-aaaaaa")

            assert answer.status_code == 202
            assert answer.json()["status"] == "running"
            assert claim.cancelled()

    def test_a_run_that_has_ended_is_not(self, posts: InProcess) -> None:
        run_id = posts.get("/etl/runs").json()[0]["id"]

        answer = posts.ask("DELETE", f"/etl/runs/{run_id}")

        assert (answer.status_code, answer.json()["reason"]) == (409, "NotRunning")


class TestBeginning:
    """Without a process: what the launcher would be asked, and what is said without asking it."""

    @pytest.fixture
    def launched(self, posts: InProcess, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
        calls: list[tuple[str, ...]] = []

        async def launch(pipeline: EtlPipeline, *arguments: str) -> Run:
            calls.append(arguments)
            found = posts.store.last("default/posts")
            assert found is not None
            return found

        monkeypatch.setattr(posts.service.launcher, "launch", launch)
        return calls

    def test_a_run_is_begun_and_its_record_given(self, posts: InProcess, launched: list[tuple[str, ...]]) -> None:
        answer = posts.ask("POST", "/api/etl/run", headers={"idempotency-key": "key-1"})

        assert launched == [("run", "--trigger", "rest", "--request-id", "key-1")]
        assert answer.headers["location"] == f"/api/etl/runs/{answer.json()['id']}"

    @pytest.mark.parametrize("key", ["", " ", "a b", "-a", "ä", "a" * 129, "a;b"])
    def test_a_key_that_is_none_is_refused(self, posts: InProcess, launched: list[tuple[str, ...]], key: str) -> None:
        answer = posts.ask("POST", "/etl/run", headers={"idempotency-key": key.encode()})

        assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
        assert not launched

    def test_while_another_is_under_way_its_record_is_given(
        self, posts: InProcess, launched: list[tuple[str, ...]]
    ) -> None:
        with running(posts):
            answer = posts.ask("POST", "/etl/run")

        assert (answer.status_code, answer.json()["reason"]) == (409, "Busy")
        assert answer.json()["run"]["id"] == "20260101-000000-aaaaaa"
        assert not launched

    def test_one_that_died_is_buried_first(self, posts: InProcess, launched: list[tuple[str, ...]]) -> None:
        claim = running(posts)
        claim.__exit__(None, None, None)

        posts.ask("POST", "/etl/run")

        dead = posts.get("/etl/runs/20260101-000000-aaaaaa").json()
        assert (dead["status"], dead["reason"]) == ("interrupted", "ProcessLost")
        assert launched

    def test_a_key_that_was_quicker_elsewhere_gives_that_run(
        self, posts: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # given a run that begins between the look and the launch, for the same key
        async def launch(pipeline: EtlPipeline, *arguments: str) -> Run:
            claim = posts.store.claim("default/posts")
            record = Run(
                id="r", pipeline="posts", trigger="rest", request_id="k", started_at="2026-01-01T00:00:00.000000Z"
            )
            claim.begin(record)
            raise Busy("default/posts", "r")

        monkeypatch.setattr(posts.service.launcher, "launch", launch)

        # when
        answer = posts.ask("POST", "/etl/run", headers={"idempotency-key": "k"})

        # then
        assert (answer.status_code, answer.json()["id"]) == (202, "r")

    @pytest.mark.parametrize("path", ["/etl/run", "/etl/replay"])
    def test_a_suspended_pipeline_is_left_alone(
        self, make: Callable[..., InProcess], document: Path, path: str
    ) -> None:
        document.write_text(POSTS + "  suspend: true\n")

        answer = make(document).ask("POST", path)

        assert (answer.status_code, answer.json()["reason"]) == (409, "Suspended")
        assert answer.json()["field"] == "spec.suspend"

    def test_a_replay_can_be_of_one_run(self, posts: InProcess, launched: list[tuple[str, ...]]) -> None:
        run_id = posts.get("/etl/runs").json()[0]["id"]

        posts.ask("POST", f"/etl/replay?run={run_id}")
        posts.ask("POST", "/etl/replay")

        assert launched == [("replay", "--run", run_id), ("replay",)]

    def test_a_replay_of_a_run_that_is_not_there(self, posts: InProcess, launched: list[tuple[str, ...]]) -> None:
        assert posts.ask("POST", "/etl/replay?run=nope").status_code == 404
        assert not launched

    def test_a_replay_of_nothing(self, posts: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        async def launch(pipeline: EtlPipeline, *arguments: str) -> Run:
            raise NothingToReplay("there is nothing; list them")

        monkeypatch.setattr(posts.service.launcher, "launch", launch)

        assert posts.ask("POST", "/etl/replay").status_code == 409


class TestEvents:
    def test_of_a_run_that_has_ended_are_its_record_and_the_end(self, posts: InProcess) -> None:
        record = posts.get("/etl/runs").json()[0]

        answer = posts.get(f"/etl/runs/{record['id']}/events")

        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["x-accel-buffering"] == "no"
        event, data = answer.text.strip().split("\n")
        assert event == "event: end"
        assert Run.model_validate_json(data.removeprefix("data: ")) == Run.model_validate(record)

    def test_of_a_run_that_is_not_there(self, posts: InProcess) -> None:
        assert posts.get("/etl/runs/nope/events").status_code == 404

    def test_progress_comes_when_there_is_some_a_comment_when_there_is_none_and_the_end_at_the_end(
        self, posts: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # given a run with two looks of silence between its progress and its end
        record = Run(id="r", pipeline="posts", trigger="cli", started_at="2026-01-01T00:00:00.000000Z")
        further = record.model_copy(update={"pages": 1})
        ended = further.model_copy(update={"status": "succeeded"})
        seen = iter([further, further, further, ended])
        monkeypatch.setattr(posts.store, "run", lambda run_id: next(seen))
        monkeypatch.setattr("etl_service.api.events._LOOK", 0.001)
        monkeypatch.setattr("etl_service.api.events._HEARTBEAT", 0.002)

        async def heard() -> list[bytes]:
            return [event async for event in events(posts.service, record)]

        # when
        kinds = [event.split(b"\n")[0] for event in asyncio.run(heard())]

        # then
        assert kinds == [b"event: progress", b"event: progress", b": still running", b"event: end"]


def test_a_record_is_a_run(posts: InProcess) -> None:
    record = posts.get("/etl/runs").json()[0]

    assert Run.model_validate(record) == posts.store.last("default/posts")
