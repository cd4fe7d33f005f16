"""`etl run` and `etl replay`."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from etl_service.model import Run
from sources.memory import MemorySource

from .conftest import SAMPLE, Ended

Etl = Callable[..., Ended]
Start = Callable[..., "subprocess.Popen[str]"]


class TestOutcome:
    def test_is_told_in_words(self, etl: Etl) -> None:
        first = etl("run", "posts.yaml")
        second = etl("run", "posts.yaml")

        assert first.code == second.code == 0
        assert first.out.startswith("100 fetched: 97 new, 3 rejected in ")
        assert first.out.endswith(" → etl rejects\n  created table posts\n")
        assert second.out.startswith("100 fetched: 97 the same, 3 rejected in ")

    def test_is_the_run_record_where_a_program_asks(self, etl: Etl) -> None:
        ended = etl("run", "posts.yaml", "--output", "json")

        run = Run.model_validate(ended.json)
        assert (run.status, run.trigger, run.counts.inserted) == ("succeeded", "cli", 97)
        assert ended.json == json.loads(etl("runs", run.id, "--output", "json").out)

    def test_is_left_for_who_started_the_container(
        self, etl: Etl, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ETL_TERMINATION_LOG", "last-words")
        ended = etl("run", "posts.yaml", "--output", "json")

        left = json.loads((folder / "last-words").read_text())
        assert (left["run"]["id"], left["rows"]) == (ended.json["id"], 97)
        assert (left["run"]["status"], left["run"]["counts"]["inserted"]) == ("succeeded", 97)

    def test_that_would_be_too_long_for_that_is_cut(
        self, etl: Etl, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ETL_TERMINATION_LOG", "last-words")
        (folder / "posts.yaml").write_text(SAMPLE.replace("sample:posts", f"file:{'é' * 900}.json"))

        assert etl("run", "posts.yaml").code == 1
        left = (folder / "last-words").read_bytes()
        assert len(left) <= 4096
        assert json.loads(left)["run"]["status"] == "failed"

    def test_of_a_run_that_is_refused_is_left_too(
        self, etl: Etl, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ETL_TERMINATION_LOG", "last-words")
        (folder / "posts.yaml").write_text(SAMPLE + "  suspend: true\n")

        assert etl("run", "posts.yaml", "--trigger", "schedule").code == 0
        assert json.loads((folder / "last-words").read_text())["refusal"]["reason"] == "Suspended"

    def test_of_a_run_that_failed_is_what_where_and_what_to_do(self, etl: Etl, folder: Path) -> None:
        (folder / "posts.yaml").write_text(SAMPLE.replace("sample:posts", "file:missing.json"))

        ended = etl("run", "posts.yaml")

        what, where, remedy = ended.err.splitlines()
        assert ended.code == 1
        assert "missing.json" in what
        assert where.startswith("  where: etl runs ")
        assert remedy.startswith("  what to do: ")

    def test_the_document_can_be_named_by_the_environment(self, etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ETL_PIPELINE", "posts.yaml")
        monkeypatch.setenv("ETL_DATABASE", "other.db")

        assert etl("run").code == 0
        assert Path("other.db").exists() and not Path("etl.db").exists()

    def test_the_command_line_goes_before_the_environment(self, etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ETL_PIPELINE", "missing.yaml")
        monkeypatch.setenv("ETL_DATABASE", "other.db")

        assert etl("run", "posts.yaml", "--database", "mine.db").code == 0
        assert Path("mine.db").exists() and not Path("other.db").exists()


class TestErrors:
    def test_a_wrong_document_exits_with_two_and_says_all(self, etl: Etl, folder: Path) -> None:
        (folder / "posts.yaml").write_text(
            SAMPLE.replace("key: [id]", "key: [id], colour: red").replace("integer", "int")
        )

        ended = etl("run", "posts.yaml")

        assert ended.code == 2
        assert "colour" in ended.err and "spec.transform.columns[0].type" in ended.err
        assert ended.out == ""

    @pytest.mark.parametrize(
        "arguments", [["run"], ["run", "--nope"], ["nope"], ["run", "posts.yaml", "--trigger", "x"], []]
    )
    def test_a_wrong_command_line_exits_with_two(self, etl: Etl, arguments: list[str]) -> None:
        ended = etl(*arguments)

        assert ended.code == 2
        assert "Usage:" in ended.err

    def test_a_wrong_environment_exits_with_two(self, etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ETL_LOG_LEVEL", "loud")

        ended = etl("run", "posts.yaml")

        assert ended.code == 2
        assert "where: ETL_LOG_LEVEL" in ended.err

    def test_a_database_that_cannot_be_is_told(self, etl: Etl) -> None:
        ended = etl("run", "posts.yaml", "--database", "posts.yaml/etl.db")

        assert ended.code == 1
        assert ended.err.startswith("DatabaseUnavailable: ")

    def test_what_nobody_foresaw_is_a_line_and_no_traceback(self, etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*args: Any) -> Any:
            raise ZeroDivisionError("oh")

        monkeypatch.setattr("etl_service.spec.load_pipeline", broken)

        ended = etl("run", "posts.yaml")

        assert ended.code == 1
        assert ended.err.startswith("InternalError: ZeroDivisionError: oh\n")
        assert "Traceback" not in ended.err

    def test_its_traceback_is_for_who_asks(self, etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("etl_service.load.open_store", lambda *args: 1 / 0)
        monkeypatch.setenv("ETL_LOG_LEVEL", "debug")

        assert "Traceback" in etl("run", "posts.yaml").err


class TestRequests:
    def test_an_id_that_has_ended_loads_nothing_and_exits_with_zero(self, etl: Etl) -> None:
        first = etl("run", "posts.yaml", "--request-id", "deploy-1", "--trigger", "request")
        second = etl("run", "posts.yaml", "--request-id", "deploy-1", "--trigger", "request")

        assert first.code == second.code == 0
        assert "request deploy-1 has had its run" in second.err
        assert len(etl("runs", "--output", "json").json) == 1

    def test_one_that_failed_is_tried_again(self, etl: Etl, folder: Path) -> None:
        (folder / "posts.yaml").write_text(SAMPLE.replace("sample:posts", "file:late.json"))
        assert etl("run", "posts.yaml", "--request-id", "a").code == 1
        (folder / "late.json").write_text('[{"id": 1, "userId": 1, "title": "late"}]')

        ended = etl("run", "posts.yaml", "--request-id", "a", "--output", "json")

        assert (ended.json["status"], ended.json["attempt"]) == ("succeeded", 2)

    @pytest.mark.parametrize("trigger", ["request", "schedule", "rest"])
    def test_a_suspended_pipeline_does_nothing_on_request(self, etl: Etl, folder: Path, trigger: str) -> None:
        (folder / "posts.yaml").write_text(SAMPLE + "  suspend: true\n")

        ended = etl("run", "posts.yaml", "--trigger", trigger)

        assert ended.code == 0
        assert "suspended" in ended.err
        assert "no pipeline yet" in etl("runs").err

    def test_it_can_still_be_run_by_hand(self, etl: Etl, folder: Path) -> None:
        (folder / "posts.yaml").write_text(SAMPLE + "  suspend: true\n")

        assert etl("run", "posts.yaml").out.startswith("100 fetched")


class TestBusy:
    """While another process runs the pipeline."""

    @pytest.fixture
    def hold(self, source: MemorySource) -> Iterator[ExitStack]:
        """The source is held until this is closed."""
        with ExitStack() as hold:
            hold.enter_context(source.held())
            yield hold

    @pytest.fixture
    def other(self, source: MemorySource, held: Path, start: Start, hold: ExitStack) -> Any:
        process = start("run", str(held), "--output", "json")
        source.wait_for_request()
        return process

    def test_by_hand_it_exits_with_three_and_names_the_other(self, etl: Etl, other: Any) -> None:
        running = etl("runs", "--output", "json").json[0]

        ended = etl("run", "held.yaml")

        assert running["status"] == "running"
        assert ended.code == 3
        assert ended.err.startswith(f"Busy: run {running['id']} of pipeline default/posts is under way")

    def test_by_schedule_it_is_skipped(self, etl: Etl, other: Any) -> None:
        ended = etl("run", "held.yaml", "--trigger", "schedule")

        assert ended.code == 0
        assert "skipped" in ended.err

    def test_on_request_it_waits_its_turn(self, start: Start, other: Any, hold: ExitStack, etl: Etl) -> None:
        second = start("run", "held.yaml", "--trigger", "request", "--request-id", "r", "--output", "json")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1.5)

        hold.close()

        out, err = second.communicate(timeout=30)
        assert second.returncode == 0, err
        assert json.loads(out)["status"] == "succeeded"
        assert [run["status"] for run in etl("runs", "--output", "json").json] == ["succeeded", "succeeded"]

    def test_one_who_waits_can_be_told_to_end(self, start: Start, other: Any) -> None:
        waiting = start("run", "held.yaml", "--wait", "60")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)

        waiting.terminate()

        _, err = waiting.communicate(timeout=10)
        assert waiting.returncode == 1
        assert "before it began" in err

    def test_it_is_cancelled_from_elsewhere(self, etl: Etl, other: Any) -> None:
        ended = etl("cancel")

        out, _ = other.communicate(timeout=20)
        assert ended.code == 0 and "was asked to end" in ended.out
        assert (json.loads(out)["status"], json.loads(out)["reason"]) == ("cancelled", "Cancelled")
        assert other.returncode == 1


class TestSignals:
    @pytest.mark.parametrize(
        ("number", "status", "reason"),
        [(signal.SIGINT, "cancelled", "Cancelled"), (signal.SIGTERM, "interrupted", "Terminated")],
    )
    def test_end_the_run_with_nothing_loaded(
        self, source: MemorySource, held: Path, start: Start, etl: Etl, number: int, status: str, reason: str
    ) -> None:
        with source.held():
            process = start("run", str(held), "--output", "json")
            source.wait_for_request()

            process.send_signal(number)

            out, err = process.communicate(timeout=20)
        assert process.returncode == 1
        assert (json.loads(out)["status"], json.loads(out)["reason"]) == (status, reason)
        assert etl("runs", "--output", "json").json[0]["status"] == status
        assert "Traceback" not in err


class TestReplay:
    def test_what_fits_today_is_loaded(self, etl: Etl, folder: Path) -> None:
        etl("run", "posts.yaml")
        (folder / "posts.yaml").write_text(SAMPLE.replace("from: /userId, type: integer", "from: /userId, type: text"))

        ended = etl("replay", "posts.yaml", "--output", "json")

        assert ended.json["trigger"] == "replay"
        assert ended.json["counts"]["inserted"] >= 1
        assert ended.json["counts"]["fetched"] == 3

    def test_of_nothing_is_told(self, etl: Etl, folder: Path) -> None:
        ended = etl("replay", "posts.yaml")

        assert ended.code == 1
        assert ended.err.startswith("NothingToReplay: ")


class TestProgress:
    def test_is_a_bar_on_a_terminal(self, source: MemorySource, held: Path, folder: Path) -> None:
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "etl_service", "run", str(held)]
        with source.held():
            environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
            process = subprocess.Popen(command, stderr=slave, stdout=subprocess.PIPE, cwd=folder, env=environ)
            os.close(slave)
            shown = b""
            while b"extract: 0 records" not in shown:
                shown += os.read(master, 4096)
        out, _ = process.communicate(timeout=20)
        os.close(master)

        assert "━".encode() in shown
        assert out.startswith(b"1 fetched: 1 new")

    def test_is_log_lines_where_a_machine_reads(self, etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ETL_LOG_FORMAT", "json")

        ended = etl("run", "posts.yaml", "--trigger", "schedule", "--output", "json")

        begun, done = (json.loads(line) for line in ended.err.splitlines())
        assert (begun["event"], begun["run"]) == ("begun", ended.json["id"])
        assert (done["status"], done["inserted"], done["run"]) == ("succeeded", 97, ended.json["id"])


class TestAnnouncement:
    def test_is_the_record_as_soon_as_it_is_kept(self, source: MemorySource, held: Path, start: Start) -> None:
        with source.held():
            process = start("run", str(held), "--announce")
            assert process.stdout is not None
            line = process.stdout.readline()

        assert json.loads(line)["run"]["status"] == "running"
        assert process.wait(20) == 0
        assert process.stdout.read() == ""

    def test_is_the_reason_where_it_does_not_begin(self, folder: Path, start: Start) -> None:
        (folder / "posts.yaml").write_text(SAMPLE + "  suspend: true\n")

        out, _ = start("run", "posts.yaml", "--trigger", "rest", "--announce").communicate(timeout=20)

        assert json.loads(out)["refusal"]["reason"] == "Suspended"
