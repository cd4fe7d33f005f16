"""What only the PostgreSQL store has to prove: its lease, its server, and what is in the way of a connection."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_service.errors import EtlError
from etl_service.load.errors import (
    BackupUnsupported,
    Busy,
    DatabaseBusy,
    DatabaseForbidden,
    DatabaseLoginRefused,
    DatabaseNotFound,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUnsuitable,
    DatabaseUntrusted,
    LeaseLost,
    SchemaConflict,
    SchemaTooNew,
    StagingLost,
    TableOwned,
)
from etl_service.load.postgres import engine, hold, keys, lease
from etl_service.load.postgres import store as postgres_store
from etl_service.load.postgres.connection import Link, read_dsn
from etl_service.load.postgres.copy import copy_in
from etl_service.load.postgres.dialect import POSTGRES
from etl_service.load.postgres.staging import PostgresStaging
from etl_service.load.postgres.store import PostgresStore
from etl_service.load.schema import widen
from etl_service.load.sql import quote
from etl_service.load.store import Query
from etl_service.model import Batch, Column, Run, Value
from etl_service.runs import end_dead
from etl_service.runs.world import utc_now
from etl_service.spec import ColumnType
from sources import postgres as servers
from sources.jsonplaceholder import free_port
from sources.postgres import PASSWORD, Server

from .conftest import POST, POSTS, Loading, moment, outcome, reject, soon, succeeded


@pytest.fixture
def schema(postgres: Server) -> str:
    return postgres.fresh_schema()


@pytest.fixture
def store(postgres: Server, schema: str) -> Iterator[PostgresStore]:
    with closing(prepared(postgres.dsn(), schema)) as store:
        yield store


@pytest.fixture
def load(store: PostgresStore) -> Loading:
    return Loading(store)


@pytest.fixture
def server() -> Iterator[Server]:
    """One of the test's own, to be stopped and broken."""
    if reason := servers.why_none():
        pytest.skip(reason)
    with servers.serving() as server:
        yield server


def prepared(dsn: str, schema: str = "public") -> PostgresStore:
    store = PostgresStore(lambda: dsn, schema)
    store.prepare()
    return store


def record(run_id: str = "ours") -> Run:
    return Run(id=run_id, pipeline="posts", trigger="cli", started_at=moment(1))


class TestTypes:
    def test_columns_have_types_of_their_own(self, postgres: Server, schema: str, load: Loading) -> None:
        types: tuple[ColumnType, ...] = ("integer", "number", "boolean", "text", "timestamp", "date", "json")
        columns = [Column(type, type) for type in types]
        load((1, 0.5, True, "a", moment(1), "2026-01-01", "{}"), columns=columns, key=("integer",))

        found = postgres.execute(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name = 'posts' ORDER BY ordinal_position",
            [schema],
        )

        assert [type for _, type in found[:7]] == [
            "bigint", "double precision", "boolean", "text", "timestamp with time zone", "date", "json",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("type", "value"),
        [
            ("timestamp", "0001-01-01T00:00:00.000000Z"),
            ("timestamp", "9999-12-31T23:59:59.999999Z"),
            ("timestamp", "1969-12-31T23:59:59.999999Z"),
            ("date", "0001-01-01"),
            ("date", "9999-12-31"),
            ("integer", -(2**63)),
            ("integer", 2**63 - 1),
            ("number", 5e-324),
            ("number", -1.7976931348623157e308),
            ("text", "\U0001f600 \x01 'quoted' \\"),
            ("json", '{"b":1,"a":1.0,"b":1e999999}'),
        ],
    )
    def test_the_farthest_values_come_back_as_they_went(self, load: Loading, type: ColumnType, value: Value) -> None:
        load((1, value), columns=(POST[0], Column("x", type)))

        assert load.rows() == [(1, value)]

    @pytest.mark.parametrize(
        ("old", "new", "values"),
        [
            ("number", "text", st.decimals(-(10**9), 10**9, places=6).map(float)),
            ("number", "json", st.integers(-(10**14), 10**14).map(float)),
            ("integer", "number", st.integers(-(2**53), 2**53)),
            ("integer", "text", st.integers(-(2**63), 2**63 - 1)),
            ("boolean", "json", st.booleans()),
            ("date", "timestamp", st.dates().map(lambda day: f"{day:%Y-%m-%d}".rjust(10, "0"))),
            ("text", "json", st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
        ],
    )
    @settings(max_examples=5, deadline=None)
    @given(data=st.data())
    def test_values_widen_as_everywhere(
        self, postgres: Server, old: ColumnType, new: ColumnType, values: Any, data: st.DataObject
    ) -> None:
        many = data.draw(st.lists(values, min_size=1, max_size=50))
        with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
            connection.execute("SET TimeZone TO 'UTC'")
            link = Link(connection)
            link.execute(f"CREATE TEMPORARY TABLE narrow (n serial, x {_TYPES[old]})")
            copy_in(connection, "narrow (x)", [old], [(value,) for value in many])
            wide = POSTGRES.shown(POSTGRES.widened("x", old, new), new)

            found = link.execute(f"SELECT {wide} FROM narrow ORDER BY n").fetchall()

        assert [value for (value,) in found] == [widen(value, old, new) for value in many]


_TYPES = {"number": "float8", "integer": "int8", "boolean": "bool", "date": "date", "text": "text"}


class TestTables:
    def test_a_table_that_no_pipeline_made_is_left_alone(self, postgres: Server, schema: str, load: Loading) -> None:
        postgres.execute(f"CREATE TABLE {schema}.posts (mine text)")

        with pytest.raises(TableOwned, match="no pipeline made"):
            load((1, "a"))

    def test_a_table_that_a_user_dropped_is_made_again(self, postgres: Server, schema: str, load: Loading) -> None:
        load((1, "a"))
        postgres.execute(f"DROP TABLE {schema}.posts")

        assert load((2, "b")).schema_changes == ["created table posts"]
        assert load.rows() == [(2, "b")]

    def test_a_view_keeps_a_column_from_widening_and_is_named(
        self, postgres: Server, schema: str, load: Loading
    ) -> None:
        load((1, 7), columns=(POST[0], Column("x", "integer")))
        postgres.execute(f"CREATE VIEW {schema}.mine AS SELECT x FROM {schema}.posts")

        with pytest.raises(SchemaConflict, match="drop the view"):
            load((2, "y"), columns=(POST[0], Column("x", "text")))

        assert load.rows() == [(1, 7)]

    def test_who_has_read_a_column_often_reads_it_once_it_has_widened(self, load: Loading) -> None:
        load((1, 7), columns=(POST[0], Column("x", "integer")))
        for _ in range(8):
            load.rows()

        load((2, "y"), columns=(POST[0], Column("x", "text")))

        assert load.rows() == [(1, "7"), (2, "y")]

    def test_the_schema_may_have_any_name(self, postgres: Server) -> None:
        name = f'My "own" Schema {next(postgres.numbers)}'
        postgres.execute(f"CREATE SCHEMA {quote(name)}")
        with closing(prepared(postgres.dsn(), name)) as store:
            load = Loading(store)
            load((1, "a"))
            load((1, "b"))

            assert load.rows() == [(1, "b")]

    def test_an_index_that_users_made_survives_a_column_that_widens(
        self, postgres: Server, schema: str, load: Loading
    ) -> None:
        load((1, 7), columns=(POST[0], Column("x", "integer")))
        postgres.execute(f"CREATE INDEX mine ON {schema}.posts (x)")

        load((2, "y"), columns=(POST[0], Column("x", "text")))

        assert postgres.execute("SELECT 1 FROM pg_indexes WHERE (schemaname, indexname) = (%s, 'mine')", [schema])

    def test_who_reads_a_table_is_waited_for_before_it_changes(
        self, postgres: Server, schema: str, load: Loading
    ) -> None:
        load((1, "a"))
        reading = psycopg.connect(postgres.dsn())
        reading.execute(f"SELECT * FROM {schema}.posts".encode())
        later = threading.Timer(7, reading.close)
        later.start()

        run = load((1, "a", 2), columns=(*POST, Column("more", "integer")))

        later.join()
        assert run.schema_changes == ["added column more integer"]

    def test_who_reads_a_table_that_somebody_changes_is_told_to_ask_again(
        self, postgres: Server, schema: str, load: Loading
    ) -> None:
        load((1, "a"))
        with psycopg.connect(postgres.dsn()) as changing:
            changing.execute(f"LOCK TABLE {schema}.posts IN ACCESS EXCLUSIVE MODE".encode())
            with pytest.raises(DatabaseBusy, match="ask again"):
                load.rows()

        assert load.rows() == [(1, "a")]

    @pytest.mark.parametrize("query", [Query(search="a"), Query(filters={"title": "a"}), Query(sort="title"), None])
    def test_what_reads_slowly_keeps_nobody_from_the_rest(
        self, postgres: Server, schema: str, store: PostgresStore, load: Loading, query: Query | None
    ) -> None:
        load((1, "a"))
        table = store.table("posts")
        assert table is not None

        def read() -> Any:
            return store.rows(table, query) if query else store.stats(table)

        with ThreadPoolExecutor(postgres_store.READERS) as threads, psycopg.connect(postgres.dsn()) as changing:
            # given as many as there can be, that wait
            changing.execute(f"LOCK TABLE {schema}.posts IN ACCESS EXCLUSIVE MODE".encode())
            answers = [threads.submit(read) for _ in range(postgres_store.READERS)]
            soon(lambda: waiting(postgres) == len(answers))

            began = time.monotonic()
            store.check()
            store.cancel("run-1")
            with store.claim("default/posts"):
                assert time.monotonic() - began < 2

            changing.rollback()
            for answer in answers:
                answer.result()

    def test_an_answer_that_takes_too_long_is_given_up_but_an_export_is_not(
        self, postgres: Server, schema: str, load: Loading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load((1, "a"))
        monkeypatch.setattr(postgres_store, "READING", 1)
        with closing(prepared(postgres.dsn(), schema)) as store, psycopg.connect(postgres.dsn()) as changing:
            table = store.table("posts")
            assert table is not None
            changing.execute(f"LOCK TABLE {schema}.posts IN ACCESS EXCLUSIVE MODE".encode())
            with pytest.raises(DatabaseUnavailable, match="ask for less"):
                store.rows(table, Query())

            later = threading.Timer(2, changing.rollback)
            later.start()
            assert [row[:2] for row in store.stream(table, Query())] == [(1, "a")]
            later.join()

    def test_a_backup_is_for_other_tools(self, store: PostgresStore, tmp_path: Path) -> None:
        with pytest.raises(BackupUnsupported, match="pg_dump"):
            store.backup(tmp_path / "copy")


def waiting(postgres: Server) -> int:
    """How many sessions wait for a lock."""
    found = postgres.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return int(found[0][0])


class TestEngineTables:
    NEWER = (*engine.MIGRATIONS, ("ALTER TABLE etl_runs ADD COLUMN mood text",))

    def test_an_older_schema_is_migrated_and_keeps_its_data(self, store: PostgresStore, load: Loading) -> None:
        load((1, "a"))

        engine.prepare(store.database, self.NEWER)

        assert load.rows() == [(1, "a")]
        with pytest.raises(SchemaTooNew, match="install the newer version"):
            store.prepare()

    def test_a_migration_that_fails_changes_nothing(self, store: PostgresStore) -> None:
        broken = (*engine.MIGRATIONS, ("ALTER TABLE etl_runs ADD COLUMN mood text", "no SQL"))

        with pytest.raises(DatabaseUnavailable):
            engine.prepare(store.database, broken)

        store.prepare()

    def test_many_may_make_them_at_once(self, postgres: Server, schema: str) -> None:
        stores = [PostgresStore(postgres.dsn, schema) for _ in range(5)]
        threads = [threading.Thread(target=store.prepare) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        for store in stores:
            store.check()
            store.close()


HOLDER = """
import sys, time
from etl_service.load.postgres.lease import Lease
from etl_service.load.postgres.store import PostgresStore
from etl_service.load.store import Target
from etl_service.runs import end_dead
from etl_service.runs.world import utc_now
from etl_service.model import Batch, Column, Run

store = PostgresStore(lambda: sys.argv[1], sys.argv[2])
with store.claim("default/posts") as claim:
    run = Run(id="theirs", pipeline="posts", trigger="cli", started_at="2026-01-01T00:00:00.000000Z")
    claim.begin(run)
    target = Target("default/posts", "posts", ("id",), "upsert")
    staging = claim.staging(target, run_id="theirs", loaded_at="2026-01-01T00:00:00.000000Z")
    staging.write(Batch((Column("id", "integer"), Column("title", "text")), [(1, "theirs")]))
    print("ready", flush=True)
    sys.stdin.readline()

    def stop():
        print("stopped", flush=True)
        sys.stdin.readline()

    def ended(loaded):
        if sys.argv[3] == "merging":
            stop()
        return run.model_copy(update={"status": "succeeded", "counts": loaded.counts})

    def hold(self, link, hold=Lease.hold):
        hold(self, link)
        if sys.argv[3] == "committing":
            stop()

    Lease.hold = hold
    try:
        claim.merge(ended, interrupt=lambda: False)
    except Exception as error:
        print(type(error).__name__, flush=True)
    else:
        print("merged", flush=True)
"""


@pytest.fixture
def holder(
    postgres: Server, schema: str, store: PostgresStore, request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the pipeline with a row staged, and merges when it is told to.

    With ``merging`` or ``committing`` as a parameter, it stops there, and goes on when it is told to.
    """
    command = [sys.executable, "-c", HOLDER, postgres.dsn(), schema, getattr(request, "param", "")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def staged(postgres: Server, schema: str) -> list[Any]:
    return postgres.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'etl_stage%%' AND relnamespace = %s::regnamespace", [schema]
    )


def ended_here(store: PostgresStore) -> bool:
    """Take hold of the pipeline and end whatever run was under way, where that can be done."""
    end_dead(store, "default/posts", utc_now())
    return store.running("default/posts") is None


def take_over(load: Loading) -> None:
    """Load a row once the holder's lease is over."""
    until = time.monotonic() + lease.LEASE + 5
    while True:
        try:
            load((2, "ours"))
            return
        except Busy:
            assert time.monotonic() < until, "the holder was not followed"
        time.sleep(0.2)


class TestLease:
    def test_a_killed_holder_is_followed_within_moments_and_what_it_staged_goes(
        self, postgres: Server, schema: str, store: PostgresStore, holder: subprocess.Popen[str]
    ) -> None:
        with pytest.raises(Busy, match="theirs"):
            store.claim("default/posts")
        assert staged(postgres, schema)

        holder.kill()
        holder.wait()

        began = time.monotonic()
        soon(lambda: ended_here(store))
        assert time.monotonic() - began < lease.LEASE / 2
        assert not staged(postgres, schema)
        assert store.table("posts") is None

    def test_a_holder_that_was_cut_off_cannot_commit_once_another_has_taken_over(
        self, store: PostgresStore, load: Loading, holder: subprocess.Popen[str]
    ) -> None:
        # given a holder that stands still, as one does whose machine cannot be reached
        holder.send_signal(signal.SIGSTOP)

        # when another takes over, and then it wakes up and goes on
        take_over(load)
        holder.send_signal(signal.SIGCONT)
        said, _ = holder.communicate("\n")

        # then nothing of it is there
        assert said == "LeaseLost\n"
        assert load.rows() == [(2, "ours")]

    @pytest.mark.parametrize("holder", ["merging", "committing"], indirect=True)
    def test_a_holder_that_was_cut_off_in_its_merge_is_followed_as_soon(
        self, load: Loading, holder: subprocess.Popen[str]
    ) -> None:
        # given one that stands still with the table locked, or the entry that says who holds the pipeline
        assert holder.stdin and holder.stdout
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "stopped\n"
        holder.send_signal(signal.SIGSTOP)

        take_over(load)
        holder.send_signal(signal.SIGCONT)

        assert holder.communicate("\n")[0] == "LeaseLost\n"
        assert load.rows() == [(2, "ours")]

    def test_a_holder_that_the_database_forgot_cannot_commit_once_another_has_it(
        self, postgres: Server, schema: str, store: PostgresStore, load: Loading, holder: subprocess.Popen[str]
    ) -> None:
        # given a crash, or a failover, that lost the holder's own entry
        holder.send_signal(signal.SIGSTOP)
        postgres.execute(f"DELETE FROM {schema}.etl_claims")
        postgres.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")

        load((2, "ours"))
        holder.send_signal(signal.SIGCONT)

        assert holder.communicate("\n")[0] == "LeaseLost\n"
        assert load.rows() == [(2, "ours")]

    def test_a_holder_whose_session_is_ended_comes_back_and_merges(
        self, postgres: Server, schema: str, load: Loading, holder: subprocess.Popen[str]
    ) -> None:
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND application_name = 'etl'"
        )
        time.sleep(2 * hold.BEAT)

        said, _ = holder.communicate("\n")

        assert said == "merged\n"
        assert load.rows() == [(1, "theirs")]

    def test_a_holder_that_finds_the_lock_taken_when_it_comes_back_has_it_in_the_end(
        self, postgres: Server, schema: str, load: Loading, holder: subprocess.Popen[str]
    ) -> None:
        def backend() -> Any:
            return postgres.execute(f"SELECT backend FROM {schema}.etl_claims")

        lock = f"SELECT pg_advisory_lock({keys.key(schema, 'default/posts')})".encode()
        [(before,)] = backend()
        with ThreadPoolExecutor() as threads, psycopg.connect(postgres.dsn(), autocommit=True) as other:
            # given another who waits for the lock, and has it once the holder's session is gone
            waits = threads.submit(other.execute, lock)
            soon(lambda: waiting(postgres) == 1)
            postgres.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
            waits.result()
            time.sleep(3 * hold.BEAT)
            found = backend()

        assert found == [(before,)]
        soon(lambda: backend() != [(before,)])
        with pytest.raises(Busy):
            load((2, "ours"))
        assert holder.communicate("\n")[0] == "merged\n"

    def test_a_run_that_was_told_to_stop_leaves_no_session_that_goes_on(
        self, postgres: Server, store: PostgresStore, load: Loading
    ) -> None:
        load((1, "a"))

        with store.claim("default/posts") as claim:
            claim.begin(record())
            claim.staging(POSTS, run_id="ours", loaded_at=moment(1)).write(Batch(POST, [(2, "b")]))
            # somebody else holds the row, so that the merge waits
            with psycopg.connect(postgres.dsn(), options=f"-c search_path={store.database.schema}") as other:
                other.execute("LOCK TABLE posts IN SHARE ROW EXCLUSIVE MODE")
                began = time.monotonic()
                with pytest.raises(Exception, match="stopped"):
                    claim.merge(lambda loaded: record(), interrupt=lambda: time.monotonic() > began + 0.5)
                assert time.monotonic() - began < 4
            claim.end(record().model_copy(update={"status": "cancelled"}))

        assert load.rows() == [(1, "a")]


class TestServer:
    """A server that is stopped, that crashes, and that is not there."""

    @pytest.fixture
    def store(self, server: Server) -> Iterator[PostgresStore]:
        with closing(prepared(server.dsn())) as store:
            yield store

    def test_a_run_outlives_a_restart(self, server: Server, store: PostgresStore, load: Loading) -> None:
        with store.claim("default/posts") as claim:
            claim.begin(record())
            staging = claim.staging(POSTS, run_id="ours", loaded_at=moment(1))
            staging.write(Batch(POST, [(1, "a"), (2, "b")], [reject()]))
            server.restart()
            staging.write(Batch(POST, [(3, "c"), (1, "last")]))
            server.restart()
            run = claim.merge(lambda loaded: succeeded(record(), loaded), interrupt=lambda: False)

        assert outcome(run) == {"fetched": 5, "inserted": 3, "rejected": 1, "skipped": 1}
        assert load.rows() == [(1, "last"), (2, "b"), (3, "c")]
        assert len(store.rejects("default/posts")) == 1
        assert store.run("ours") == run

    def test_a_crash_takes_what_was_staged_and_the_run_says_so(
        self, server: Server, store: PostgresStore, load: Loading
    ) -> None:
        load((1, "before"))
        with store.claim("default/posts") as claim:
            claim.begin(record())
            staging = claim.staging(POSTS, run_id="ours", loaded_at=moment(1))
            staging.write(Batch(POST, [(1, "a"), (2, "b")]))
            server.restart("immediate")

            with pytest.raises(StagingLost, match="run again"):
                staging.write(Batch(POST, [(3, "c")]))
            with pytest.raises(StagingLost):
                claim.merge(lambda loaded: succeeded(record(), loaded), interrupt=lambda: False)
            claim.end(record().model_copy(update={"status": "failed", "reason": "StagingLost"}))

        assert load.rows() == [(1, "before")]
        assert [run.status for run in store.runs("default/posts")] == ["failed", "succeeded"]

    def test_what_a_crash_during_the_merge_leaves_is_the_old_rows(
        self, server: Server, store: PostgresStore, load: Loading
    ) -> None:
        load((1, "before"))
        with store.claim("default/posts") as claim:
            claim.begin(record())
            claim.staging(POSTS, run_id="ours", loaded_at=moment(1)).write(Batch(POST, [(1, "after")]))

            def crash(loaded: Any) -> Run:
                server.restart("immediate")
                return succeeded(record(), loaded)

            with pytest.raises(StagingLost):
                claim.merge(crash, interrupt=lambda: False)

        assert load.rows() == [(1, "before")]

    def test_a_failover_during_the_merge_loads_nothing_and_the_next_run_finds_the_new_primary(
        self, server: Server
    ) -> None:
        with server.standby() as standby:
            both = server.dsn(
                host="127.0.0.1,127.0.0.1", port=f"{server.port},{standby.port}", target_session_attrs="read-write"
            )
            with closing(prepared(both)) as store:
                load = Loading(store)
                load((1, "before"))
                soon(lambda: standby.execute("SELECT count(*) FROM pg_class WHERE relname = 'posts'") == [(1,)])
                with closing(prepared(standby.dsn())) as reading:
                    assert Loading(reading).rows() == [(1, "before")]
                    with pytest.raises(DatabaseReadOnly, match="primary"):
                        Loading(reading)((2, "b"))

                with store.claim("default/posts") as claim:
                    claim.begin(record())
                    claim.staging(POSTS, run_id="ours", loaded_at=moment(1)).write(Batch(POST, [(1, "after")]))

                    def fail_over(loaded: Any) -> Run:
                        server.stop("immediate")
                        standby.promote()
                        return succeeded(record(), loaded)

                    with pytest.raises((StagingLost, LeaseLost)):
                        claim.merge(fail_over, interrupt=lambda: False)

                assert load.rows() == [(1, "before")]
                assert outcome(load((1, "after"))) == {"fetched": 1, "updated": 1}
            server.start()

    def test_a_reader_comes_back_with_the_server(self, server: Server, store: PostgresStore, load: Loading) -> None:
        load((1, "a"))
        server.stop()
        with pytest.raises(DatabaseUnavailable, match="check that it runs"):
            store.check()

        server.start()

        assert load.rows() == [(1, "a")]


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_that_was_cut_off_is_asked_about(
    postgres: Server, store: PostgresStore, load: Loading, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost when the commit has gone out: at that moment nobody here knows what became of it."""
    merges = 0
    with store.claim("default/posts") as claim:
        claim.begin(record())
        claim.staging(POSTS, run_id="ours", loaded_at=moment(1)).write(Batch(POST, [(1, "a")]))
        hold, cut_off = lease.Lease.hold, iter([True])

        def hold_and_lose(self: lease.Lease, link: Link) -> None:
            hold(self, link)
            if next(cut_off, False):
                if committed:
                    link.execute("COMMIT")
                link.raw.close()
                raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(lease.Lease, "hold", hold_and_lose)

        def finish(loaded: Any) -> Run:
            nonlocal merges
            merges += 1
            return succeeded(record(), loaded)

        run = claim.merge(finish, interrupt=lambda: False)

    assert merges == (1 if committed else 2)
    assert store.run("ours") == run
    assert outcome(run) == {"fetched": 1, "inserted": 1}
    assert store.totals("default/posts")["runs", "succeeded"] == 1
    assert load.rows() == [(1, "a")]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(
    "following",
    [
        Batch((*POST, Column("more", "integer")), [(2, "b", 3)]),
        Batch((POST[0], Column("title", "json")), [(2, '"b"')]),
        Batch((), [()]),
    ],
    ids=["a column more", "a wider column", "rows without a column"],
)
def test_a_batch_that_was_cut_off_is_written_once(
    store: PostgresStore, load: Loading, following: Batch, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.claim("default/posts") as claim:
        claim.begin(record())
        staging = claim.staging(POSTS, run_id="ours", loaded_at=moment(1))
        staging.write(Batch(POST, [(1, "a")]))
        write, cut_off = PostgresStaging.write, iter([True])

        def write_and_lose(self: PostgresStaging, batch: Batch) -> None:
            link = self.connection
            if next(cut_off, False):
                link.execute("BEGIN")
                state = self.columns, self.written, self.rejected, self.skipped, self._copied
                write(self, batch)
                self.columns, self.written, self.rejected, self.skipped, self._copied = state
                if committed:
                    link.execute("COMMIT")
                link.raw.close()
                raise psycopg.OperationalError("the connection is lost")
            write(self, batch)

        monkeypatch.setattr(PostgresStaging, "write", write_and_lose)
        staging.write(following)
        run = claim.merge(lambda loaded: succeeded(record(), loaded), interrupt=lambda: False)

    assert (run.counts.fetched, run.counts.inserted) == (2, 2 if following.columns else 1)
    assert len(load.rows()) == run.counts.inserted


class TestReasons:
    """Each obstacle has a reason and a remedy, and the password is in neither."""

    @pytest.fixture(autouse=True)
    def canary(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        caplog.set_level(logging.DEBUG)
        yield
        assert not [part for part in ("c4nary", "ss@word", "c4nary%3A") if part in caplog.text]

    @pytest.fixture
    def refused(self) -> Callable[..., str]:
        def refused(dsn: str, kind: type[EtlError], schema: str = "public") -> str:
            with pytest.raises(kind) as caught:
                prepared(dsn, schema)
            error = caught.value
            assert type(error) is kind
            shown = f"{error.message} {error!r} {error.__cause__!r}"
            assert not [part for part in ("c4nary", "ss@word", "pa/ss") if part in shown]
            assert "; " in error.message
            return str(error.message)

        return refused

    def test_a_wrong_password(self, postgres: Server, refused: Callable[..., str]) -> None:
        said = refused(postgres.dsn(password=PASSWORD + "!"), DatabaseLoginRefused)
        assert "correct the user or the password" in said

    def test_an_unknown_database(self, postgres: Server, refused: Callable[..., str]) -> None:
        assert 'database "nowhere" does not exist' in refused(postgres.dsn("nowhere"), DatabaseNotFound)

    def test_a_missing_schema(self, postgres: Server, refused: Callable[..., str]) -> None:
        assert "etl grants" in refused(postgres.dsn(), DatabaseNotFound, "nowhere")

    def test_a_server_that_is_not_there(self, postgres: Server, refused: Callable[..., str]) -> None:
        dsn = postgres.dsn(port=str(free_port()))
        assert "check that it runs" in refused(dsn, DatabaseUnavailable)

    def test_a_host_that_nobody_knows(self, postgres: Server, refused: Callable[..., str]) -> None:
        assert "correct the host" in refused(postgres.dsn(host="nowhere.invalid"), DatabaseUnavailable)

    def test_a_user_without_rights_on_the_schema(
        self, postgres: Server, schema: str, refused: Callable[..., str]
    ) -> None:
        user = newcomer(postgres)
        postgres.execute(f"GRANT USAGE ON SCHEMA {schema} TO {user}")

        said = refused(postgres.dsn(user=user), DatabaseForbidden, schema)

        assert "permission denied for schema" in said and "etl grants" in said

    def test_as_many_connections_as_there_can_be(self, postgres: Server, refused: Callable[..., str]) -> None:
        user = newcomer(postgres, "CONNECTION LIMIT 1")
        with psycopg.connect(postgres.dsn(user=user)):
            assert "have others use fewer" in refused(postgres.dsn(user=user), DatabaseBusy)

    def test_a_server_that_takes_no_writes(self, postgres: Server, schema: str, refused: Callable[..., str]) -> None:
        dsn = postgres.dsn(options="-c default_transaction_read_only=on")
        assert "primary" in refused(dsn, DatabaseReadOnly, schema)

    def test_a_server_that_takes_no_writes_still_serves_what_is_there(
        self, postgres: Server, schema: str, load: Loading
    ) -> None:
        load((1, "a"))
        with closing(prepared(postgres.dsn(options="-c default_transaction_read_only=on"), schema)) as standby:
            assert Loading(standby).rows() == [(1, "a")]
            with pytest.raises(DatabaseReadOnly, match="primary"):
                Loading(standby)((2, "b"))

    def test_a_database_that_cannot_hold_every_text(self, postgres: Server, refused: Callable[..., str]) -> None:
        name = f"latin_{next(postgres.numbers)}"
        postgres.execute(f"CREATE DATABASE {name} ENCODING LATIN1 TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        said = refused(postgres.dsn(name), DatabaseUnsuitable)
        assert "LATIN1; make the database with ENCODING UTF8" in said

    def test_a_certificate_that_nobody_vouches_for(
        self, postgres: Server, refused: Callable[..., str], tmp_path: Path
    ) -> None:
        if postgres.execute("SHOW ssl") != [("on",)]:
            pytest.skip("there is no openssl to make a certificate with")
        own = (postgres.folder / "server.crt").read_text()
        (tmp_path / "other.crt").write_text(own)

        said = refused(postgres.dsn(sslmode="verify-full", sslrootcert=f"{tmp_path}/none.crt"), DatabaseUntrusted)
        assert "sslrootcert" in said
        said = refused(postgres.dsn(sslmode="verify-full", sslrootcert=f"{tmp_path}/other.crt"), DatabaseUntrusted)
        assert "127.0.0.1" in said  # whose name the certificate does not have
        prepared(postgres.dsn(sslmode="verify-ca", sslrootcert=f"{tmp_path}/other.crt")).close()

    @pytest.mark.parametrize(
        "dsn",
        [
            f"postgresql//etl:{PASSWORD}@host/db",
            f"postgresql://etl:{PASSWORD}@host/db",
            "postgresql://etl:c4nary@ss@word@host/db",
            "postgresql://etl:5432/ss@word@host/db",
            f"host=host password={PASSWORD} port=c4nary",
        ],
    )
    def test_what_is_no_connection_string_is_not_repeated(self, dsn: str, refused: Callable[..., str]) -> None:
        assert "%40" in refused(dsn, DatabaseUnavailable) or "is no connection string" in refused(
            dsn, DatabaseUnavailable
        )

    def test_tables_that_are_gone_come_with_the_next_run(
        self, postgres: Server, schema: str, store: PostgresStore
    ) -> None:
        postgres.execute(f"DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema}")
        with pytest.raises(DatabaseUnavailable, match="run the pipeline once"):
            store.check()

        prepared(postgres.dsn(), schema).close()

        store.check()

    def test_a_password_that_is_changed_is_taken_up_where_it_is_kept(self, postgres: Server, schema: str) -> None:
        user, passwords = newcomer(postgres), [PASSWORD]
        postgres.execute(f"GRANT ALL ON SCHEMA {schema} TO {user}")
        with closing(PostgresStore(lambda: postgres.dsn(user=user, password=passwords[-1]), schema)) as store:
            store.prepare()
            store.check()
            postgres.execute(f"ALTER ROLE {user} PASSWORD 'another'")
            postgres.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", [user])
            with pytest.raises(DatabaseLoginRefused):
                store.check()

            passwords.append("another")

            store.check()

    def test_nobody_sees_the_password_of_a_database(self, postgres: Server) -> None:
        database = read_dsn(postgres.dsn, "public")
        assert "c4nary" not in f"{database} {database!r} {database.where}"


def test_what_is_set_for_the_role_does_not_change_what_a_session_says(postgres: Server, schema: str) -> None:
    user = newcomer(postgres)
    postgres.execute(f"GRANT ALL ON SCHEMA {schema} TO {user}")
    odd = {
        "default_transaction_isolation": "serializable",
        "extra_float_digits": "-5",
        "client_encoding": "LATIN1",
        "DateStyle": "German",
        "bytea_output": "escape",
    }
    for name, value in odd.items():
        postgres.execute(f"ALTER ROLE {user} SET {name} TO '{value}'")
    columns = (*POST, Column("x", "number"), Column("day", "date"))
    row = (1, "\U0001f600", 0.1 + 0.2, "2026-02-01")

    with closing(prepared(postgres.dsn(user=user), schema)) as store:
        load = Loading(store)
        load(row, columns=columns)

        assert load.rows() == [row]
        with closing(store.database.connect()) as connection:
            assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)


def test_a_process_with_many_descriptors_reads(store: PostgresStore, load: Loading) -> None:
    load((1, "a"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2048), hard))
    store.close()
    many = [os.dup(0) for _ in range(1024)]
    try:
        for _ in range(2):  # the second time, on the connection of the first
            assert load.rows() == [(1, "a")]
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def newcomer(postgres: Server, more: str = "") -> str:
    name = f"user_{next(postgres.numbers)}"
    postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {more}")
    return name


def test_who_uses_sqlite_does_not_pay_for_postgresql() -> None:
    program = "import sys, etl_service.load.sqlite.store, etl_service.runs; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env=os.environ, check=False).returncode == 0
