"""What only the SQLite store has to prove: its file, its lock, its disk."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from etl_service.load.errors import (
    Busy,
    DatabaseCorrupt,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUnsuitable,
    SchemaTooNew,
    TableOwned,
)
from etl_service.load.sqlite import engine
from etl_service.load.sqlite.connection import refuse_network_file_system
from etl_service.load.sqlite.store import SqliteStore
from etl_service.load.store import Store
from etl_service.model import Batch, Column, Run

from .conftest import POST, Loading, moment, outcome, reject


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "etl.db"


def prepared(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    store.prepare()
    return store


def hold(path: Path, ready: Connection) -> None:
    with prepared(path).claim("default/posts") as claim:
        claim.begin(Run(id="holder", pipeline="posts", trigger="cli", started_at=moment(1)))
        claim.staging(Loading(prepared(path)).target, run_id="holder", loaded_at=moment(1)).write(
            Batch(POST, [(1, "a")])
        )
        ready.send("ready")
        signal.pause()


def test_the_lock_goes_with_a_killed_process_and_so_does_what_it_staged(path: Path) -> None:
    store = prepared(path)
    ours, theirs = multiprocessing.Pipe()
    holder = multiprocessing.get_context("spawn").Process(target=hold, args=(path, theirs))
    holder.start()
    assert ours.poll(30)
    with pytest.raises(Busy, match="holder"):
        store.claim("default/posts")

    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()

    with store.claim("default/posts"):
        left = {file.name for file in (path.parent / "etl.db.d" / "default.posts").iterdir()}
    assert "staging.db" not in left
    assert store.table("posts") is None
    store.close()


def test_a_database_on_a_network_file_system_is_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"22 1 0:20 / / rw - ext4 /dev/sda rw\n23 22 0:21 / {tmp_path} rw shared:1 - nfs4 server:/export rw\n"
    )

    with pytest.raises(DatabaseUnsuitable, match=r"network file system \(nfs4 at .*load\.postgres"):
        refuse_network_file_system(tmp_path / "etl.db", mounts)


def test_a_local_disk_mounted_inside_a_network_file_system_is_accepted(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"23 22 0:21 / / rw - nfs4 server:/export rw\n24 23 0:22 / {tmp_path} rw - ext4 /dev/sdb rw\n")

    refuse_network_file_system(tmp_path / "etl.db", mounts)


def test_a_table_that_no_pipeline_made_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE Posts (mine TEXT)")
    connection.close()
    store = prepared(path)

    with pytest.raises(TableOwned, match="no pipeline made"):
        Loading(store)((1, "a"))
    store.close()


def test_indexes_that_users_made_survive_a_column_that_widens(path: Path) -> None:
    store = prepared(path)
    load = Loading(store)
    load((1, 7), columns=(POST[0], type(POST[0])("x", "integer")))
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE INDEX mine ON posts (x)")
    connection.close()

    load((2, "y"), columns=(POST[0], type(POST[0])("x", "text")))

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'mine'").fetchone() == (1,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    store.close()


def test_a_view_that_users_made_does_not_keep_a_column_from_widening(path: Path) -> None:
    store = prepared(path)
    load = Loading(store)
    load((1, 7), columns=(POST[0], type(POST[0])("x", "integer")))
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW mine AS SELECT x FROM posts")
    connection.close()

    load((2, "y"), columns=(POST[0], type(POST[0])("x", "text")))

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT x FROM mine ORDER BY x").fetchall() == [("7",), ("y",)]
    connection.close()
    store.close()


def test_a_table_that_a_user_dropped_is_made_again(path: Path) -> None:
    store = prepared(path)
    load = Loading(store)
    load((1, "a"))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE posts")
    connection.close()

    run = load((2, "b"), pipeline="default/other")

    assert run.schema_changes == ["created table posts"]
    assert load.rows() == [(2, "b")]
    store.close()


def test_a_database_has_one_lock_by_whatever_name_it_is_reached(path: Path) -> None:
    store = prepared(path)
    (path.parent / "other.db").symlink_to(path)

    with store.claim("default/posts") as claim:
        claim.begin(Run(id="first", pipeline="posts", trigger="cli", started_at=moment(1)))
        with pytest.raises(Busy):
            SqliteStore(path.parent / "other.db").claim("default/posts")
    store.close()


def test_a_restored_backup_is_written_ahead_again(path: Path) -> None:
    store = prepared(path)
    Loading(store)((1, "a"))
    store.backup(path.with_name("restored.db"))
    store.close()

    restored = prepared(path.with_name("restored.db"))
    Loading(restored)((2, "b"))

    connection = sqlite3.connect(path.with_name("restored.db"))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    restored.close()


def test_a_thousand_columns_are_compared_and_merged(path: Path) -> None:
    store = prepared(path)
    load = Loading(store)
    columns = (POST[0], *(Column(f"c{number}", "integer") for number in range(1000)))
    load((1, *range(1000)), columns=columns)

    run = load((1, *range(999), 0), columns=columns)

    assert outcome(run) == {"fetched": 1, "updated": 1}
    store.close()


def test_a_backup_is_a_database_that_holds_the_same(path: Path, tmp_path: Path) -> None:
    store = prepared(path)
    load = Loading(store)
    load((1, "a"), (2, "b"))

    with store.claim("default/posts") as claim:
        claim.begin(Run(id="under-way", pipeline="posts", trigger="cli", started_at=moment(3)))
        store.backup(tmp_path / "copy.db")

    restored = SqliteStore(tmp_path / "copy.db")
    assert Loading(restored).rows() == [(1, "a"), (2, "b")]
    assert [run.id for run in restored.runs("default/posts")] == ["under-way", "run-1"]
    restored.close()
    store.close()


NOW = len(engine.MIGRATIONS)


class TestEngineTables:
    NEWER = (*engine.MIGRATIONS, ("ALTER TABLE etl_runs ADD COLUMN mood TEXT",))

    def test_an_older_database_is_migrated_after_a_backup_and_keeps_its_data(self, path: Path) -> None:
        store = prepared(path)
        Loading(store)((1, "a"))

        engine.prepare(path, store.backup, self.NEWER)

        assert engine.version(path, NOW + 1) == NOW + 1
        assert Loading(store).rows() == [(1, "a")]
        backup = path.with_name(f"etl.db.before-version-{NOW + 1}")
        assert engine.version(backup, NOW) == NOW
        assert Loading(SqliteStore(backup)).rows() == [(1, "a")]
        store.close()

    def test_a_database_of_the_first_version_keeps_its_history(self, path: Path) -> None:
        engine.prepare(path, lambda to: None, engine.MIGRATIONS[:1])
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "INSERT INTO etl_runs VALUES (1, 'run-1', 'default/posts', 'cli', NULL, 1, 'succeeded', NULL, NULL, "
                "'2026-01-01T00:00:00Z', NULL, 'done', 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, '{}', 0, 0, 0, '[]', '', NULL)"
            )

        store = prepared(path)

        run = store.run("run-1")
        assert run and (run.counts.inserted, run.partitions) == (1, None)
        store.close()

    def test_a_migration_that_fails_changes_nothing(self, path: Path) -> None:
        store = prepared(path)
        broken = (*engine.MIGRATIONS, ("ALTER TABLE etl_runs ADD COLUMN mood TEXT", "no SQL"))

        with pytest.raises(DatabaseUnavailable):
            engine.prepare(path, store.backup, broken)

        assert engine.version(path, NOW + 1) == NOW
        store.close()

    def test_a_newer_database_is_refused_by_an_older_version(self, path: Path) -> None:
        engine.prepare(path, lambda to: None, self.NEWER)

        with pytest.raises(SchemaTooNew, match="install the newer version"):
            SqliteStore(path).prepare()

    def test_many_processes_may_make_the_same_database_at_once(self, path: Path) -> None:
        program = (
            "import sys; from pathlib import Path; from etl_service.load.sqlite.store import SqliteStore; "
            "SqliteStore(Path(sys.argv[1])).prepare()"
        )
        makers = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(4)]

        assert [maker.wait(60) for maker in makers] == [0] * 4


def test_a_file_that_is_no_database_is_named_as_such(path: Path) -> None:
    path.write_bytes(b"<html>" * 1000)

    with pytest.raises(DatabaseCorrupt, match="restore it from a backup"):
        prepared(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB, which is full soon."""
    disk = tmp_path / "disk"
    disk.mkdir()
    as_root = ["sudo", "-n"] if os.geteuid() and shutil.which("sudo") else []
    mount = [*as_root, "mount", "-t", "tmpfs", "-o", "size=2m,mode=1777", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    yield disk
    subprocess.run([*as_root, "umount", "-l", str(disk)], check=True)


class TestDisk:
    def test_a_full_disk_fails_the_load_and_keeps_the_old_rows_readable(self, small_disk: Path) -> None:
        store = prepared(small_disk / "etl.db")
        load = Loading(store)
        load((1, "a"))

        with pytest.raises(DatabaseFull, match="make room and run again"):
            load(*((number, "x" * 1000) for number in range(5_000)))

        assert load.rows() == [(1, "a")]
        assert outcome(load((1, "a"), (2, "b"))) == {"fetched": 2, "inserted": 1, "unchanged": 1}
        store.close()

    def test_a_disk_that_fills_during_the_merge_rolls_it_back_and_the_record_still_finds_room(
        self, small_disk: Path
    ) -> None:
        store = prepared(small_disk / "etl.db")
        load = Loading(store)
        load((1, "a"))
        rows = [(number, "x" * 1000) for number in range(700)]

        with store.claim("default/posts") as claim:
            run = Run(id="full", pipeline="posts", trigger="cli", started_at=moment(9))
            claim.begin(run)
            claim.staging(load.target, run_id="full", loaded_at=moment(9)).write(Batch(POST, rows, [reject()]))
            with pytest.raises(DatabaseFull):
                claim.merge(lambda loaded: run, interrupt=lambda: False)
            claim.end(run.model_copy(update={"status": "failed", "reason": "DatabaseFull"}))

        ended = store.run("full")
        assert ended is not None
        assert ended.status == "failed"
        assert load.rows() == [(1, "a")]
        store.close()

    def test_a_read_only_disk_serves_what_is_there_and_takes_nothing(self, small_disk: Path) -> None:
        store = prepared(small_disk / "etl.db")
        Loading(store)((1, "a"))
        store.close()
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

        store = prepared(small_disk / "etl.db")

        assert Loading(store).rows() == [(1, "a")]
        with pytest.raises(DatabaseReadOnly, match="make it writable"):
            Loading(store)((2, "b"))
        store.close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    store: Store = SqliteStore(tmp_path / "nowhere" / "etl.db")

    with pytest.raises(DatabaseUnavailable, match="no database"):
        store.runs("default/posts")
