"""The commands that look: `etl runs`, `rejects`, `preview`, `check`, `schema`, `backup`; and what `--help` costs."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from etl_service.load.sqlite.store import SqliteStore
from etl_service.model import Run

from .conftest import SAMPLE, Ended

Etl = Callable[..., Ended]


class TestRuns:
    def test_are_listed_newest_first(self, etl: Etl) -> None:
        etl("run", "posts.yaml")
        etl("run", "posts.yaml")

        newest, oldest = etl("runs").out.splitlines()

        assert "97 the same" in newest and "97 new" in oldest
        assert "cli" in newest and "succeeded" in newest
        assert len(etl("runs", "-n", "1").out.splitlines()) == 1
        assert etl("runs", "--status", "failed").out == ""

    def test_one_is_shown_whole(self, etl: Etl) -> None:
        etl("run", "posts.yaml")
        run_id = etl("runs", "--output", "json").json[0]["id"]

        shown = etl("runs", run_id).out

        assert "fetched 100, inserted 97, rejected 3" in shown
        assert "created table posts" in shown

    def test_one_whose_process_was_lost_is_ended_by_whoever_looks(self, etl: Etl, folder: Path) -> None:
        etl("run", "posts.yaml")
        lost = Run(id="lost", pipeline="posts", trigger="cli", started_at="2026-11-01T00:00:00.000000Z")
        with SqliteStore(folder / "etl.db").claim("default/posts") as claim:
            claim.begin(lost)

        assert "interrupted" in etl("runs", "lost").out
        assert etl("cancel", "lost").err.startswith("NotRunning")

    def test_one_that_is_not_there_is_told(self, etl: Etl) -> None:
        etl("run", "posts.yaml")

        ended = etl("runs", "nope")

        assert ended.code == 1 and ended.err.startswith("RunNotFound: there is no run nope")

    def test_without_a_database_nothing_is_made(self, etl: Etl, folder: Path) -> None:
        ended = etl("runs")

        assert ended.code == 2 and "there is no database etl.db" in ended.err
        assert not (folder / "etl.db").exists()

    def test_of_several_pipelines_one_must_be_named(self, etl: Etl, folder: Path) -> None:
        other = SAMPLE.replace("name: posts}", "name: others}").replace("table: posts", "table: others")
        (folder / "others.yaml").write_text(other)
        etl("run", "posts.yaml")
        etl("run", "others.yaml")

        ended = etl("runs")

        assert ended.code == 2 and "default/others, default/posts" in ended.err
        assert len(etl("runs", "--file", "others.yaml").out.splitlines()) == 1


class TestRejects:
    def test_are_listed_with_their_reason_and_place(self, etl: Etl) -> None:
        etl("run", "posts.yaml")

        shown = etl("rejects").out

        assert "(Required)" in shown and "(NotAnInteger)" in shown
        assert "sample:posts, record 22" in shown

    def test_as_json_they_are_whole(self, etl: Etl) -> None:
        etl("run", "posts.yaml")
        run_id = etl("runs", "--output", "json").json[0]["id"]

        rejects = etl("rejects", run_id, "--output", "json").json

        assert len(rejects) == 3
        assert json.loads(rejects[0]["raw"])["id"] is None
        assert etl("rejects", "nope").code == 1

    def test_of_which_there_are_none(self, etl: Etl, folder: Path) -> None:
        (folder / "posts.json").write_text('[{"id": 1, "userId": 1, "title": "x"}]')
        (folder / "posts.yaml").write_text(SAMPLE.replace("sample:posts", "file:posts.json"))
        etl("run", "posts.yaml")

        assert etl("rejects").err == "No rejected records.\n"


class TestPreview:
    def test_shows_before_and_after_and_loads_nothing(self, etl: Etl) -> None:
        shown = etl("preview", "posts.yaml", "-n", "1").out.splitlines()

        assert shown[0].startswith('before  {"userId": 1, "id": 1')
        assert shown[1].startswith('after   {"id": 1, "user_id": 1')
        assert shown[2] == "A run would do this with the records read: 1 fetched: 1 new"
        assert "no pipeline yet" in etl("runs").err

    def test_of_all_says_what_a_run_would_reject(self, etl: Etl) -> None:
        shown = etl("preview", "posts.yaml", "--full").out

        assert "100 fetched: 97 new, 3 rejected" in shown
        assert "page 1, record 22: " in shown

    def test_is_for_programs_too(self, etl: Etl) -> None:
        assert etl("preview", "posts.yaml", "--output", "json").json["would"]["inserted"] == 3

    def test_is_side_by_side_on_a_terminal(self, etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", "100")

        shown = etl("preview", "posts.yaml", "-n", "1").out

        assert any(('"userId": 1' in line and '"user_id": 1' in line) or "{" in line for line in shown.splitlines())
        assert "before" in shown and "after" in shown

    def test_of_a_source_that_fails_says_why(self, etl: Etl, folder: Path) -> None:
        (folder / "posts.yaml").write_text(SAMPLE.replace("sample:posts", "file:missing.json"))

        ended = etl("preview", "posts.yaml")

        assert ended.code == 1 and "missing.json" in ended.err


class TestDocument:
    def test_a_right_one_is_said_to_be(self, etl: Etl) -> None:
        assert etl("check", "posts.yaml").out == "posts.yaml: pipeline posts can be run\n"

    def test_all_that_is_wrong_is_said_with_lines_paths_and_remedies(self, etl: Etl, folder: Path) -> None:
        (folder / "posts.yaml").write_text(SAMPLE.replace("integer", "int").replace("table: posts", "table: select"))

        ended = etl("check", "posts.yaml")

        assert ended.code == 2
        assert "line 8: spec.transform.columns[0].type" in ended.err
        assert "spec.load.table is a word of SQL's own" in ended.err

    def test_the_schema_is_json(self, etl: Etl) -> None:
        assert etl("schema").json["required"] == ["apiVersion", "kind", "metadata", "spec"]


class TestBackup:
    def test_is_a_database_like_the_first(self, etl: Etl, folder: Path) -> None:
        etl("run", "posts.yaml")

        ended = etl("backup", "copy.db")

        assert ended.code == 0 and ended.out.startswith("copy.db: ")
        with closing(sqlite3.connect(folder / "copy.db")) as copy:
            assert copy.execute("SELECT count(*) FROM posts").fetchone() == (97,)

    def test_overwrites_nothing(self, etl: Etl, folder: Path) -> None:
        etl("run", "posts.yaml")
        (folder / "copy.db").write_text("precious")

        ended = etl("backup", "copy.db")

        assert ended.code == 1 and (folder / "copy.db").read_text() == "precious"


class TestCost:
    """A command pays for what it uses."""

    def imported(self, folder: Path, *arguments: str) -> set[str]:
        command = [sys.executable, "-X", "importtime", "-m", "etl_service", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True, env=os.environ)
        return {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if "import time" in line}

    def test_of_a_run_is_not_that_of_the_service_or_of_a_bar(self, folder: Path) -> None:
        modules = self.imported(folder, "run", "posts.yaml")

        assert not modules & {"fastapi", "starlette", "uvicorn", "structlog", "rich", "prometheus_client"}

    def test_of_looking_is_not_that_of_running(self, etl: Etl, folder: Path) -> None:
        etl("run", "posts.yaml")

        modules = self.imported(folder, "runs")

        assert not modules & {"httpx", "fastapi", "structlog", "rich"}


@pytest.mark.parametrize(
    "command", ["run", "preview", "serve", "check", "schema", "runs", "rejects", "replay", "cancel", "backup"]
)
def test_every_command_has_help(etl: Etl, command: str) -> None:
    ended = etl(command, "--help")

    assert ended.code == 0 and ended.out.startswith(f"Usage: etl {command}")


def test_help_lists_commands_and_exit_codes(etl: Etl) -> None:
    shown = etl("--help").out

    for word in ("run ", "serve ", "rejects ", "3  another run", "ETL_PIPELINE"):
        assert word in shown
    assert etl("--version").out.startswith("etl 0.")
