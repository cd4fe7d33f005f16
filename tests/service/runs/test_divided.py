"""Runs that are divided among workers, each with a store of its own as its process would have; on a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest

from documents import pipeline
from etl_service.load.errors import Busy, DatabaseUnavailable, LeaseLost, MergeInterrupted
from etl_service.load.postgres import connection
from etl_service.load.postgres.connection import Link
from etl_service.load.postgres.part import Membership, PostgresPart
from etl_service.load.postgres.store import PostgresStore
from etl_service.load.store import Part, Query
from etl_service.model import Batch, Column, Counts, Run
from etl_service.runs import Lost, Stop, World, begin_or_join, complete, end_dead, preview, run, work
from etl_service.runs.beginning import target_of
from etl_service.spec import EtlPipeline
from sources import postgres as database
from sources.memory import MemorySource, serving
from sources.postgres import Server

GROUPS = ("a", "b", "c")
WHO = "default/posts"


def posts(count: int = 30) -> list[dict[str, Any]]:
    return [{"id": number, "title": f"post {number}", "group": GROUPS[number % 3]} for number in range(1, count + 1)]


@dataclass
class Divided:
    """A pipeline in three partitions, and workers for it."""

    source: MemorySource
    server: Server
    schema: str
    stores: ExitStack
    changes: dict[str, Any] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    extract: dict[str, Any] = field(default_factory=dict)
    started: list[tuple[int, int]] = field(default_factory=list)

    @property
    def document(self) -> EtlPipeline:
        return pipeline(
            self.source.url,
            extract={"partitions": {"param": "group", "values": list(GROUPS)}, **self.extract},
            load={"postgres": {"dsn": {"env": "POSTGRES_DSN"}, "schema": self.schema}, **self.load},
            **self.changes,
        )

    def store(self) -> PostgresStore:
        store = PostgresStore(self.server.dsn, self.schema)
        self.stores.callback(store.close)
        store.prepare()
        return store

    async def start(self, run: Run, index: int, failures: int) -> int:
        """What a process does."""
        self.started.append((index, failures))
        ended = await work(self.document, self.store(), run, index, last=failures >= 2, world=World())
        own = (ended.partitions or [])[index]
        return 0 if ended.status == "succeeded" or (own.status == "succeeded" and not ended.ended) else 1

    def run(self, world: World | None = None, **given: Any) -> Run:
        world = world or World(sleep=no_sleep)
        return asyncio.run(
            run(self.document, self.store(), trigger="cli", world=world, **{"start_worker": self.start, **given})
        )

    def ids(self) -> list[Any]:
        store = self.store()
        table = store.table("posts")
        return [row[0] for row in store.rows(table, Query(limit=None)).rows] if table else []

    def left(self) -> list[Any]:
        """What there is of the engine's that a run should not leave."""
        staged = f"SELECT relname FROM pg_class WHERE relnamespace = '{self.schema}'::regnamespace AND relkind = 'r'"
        parts = self.server.execute(f"SELECT idx FROM {self.schema}.etl_partitions")
        return [name for (name,) in self.server.execute(staged) if name.startswith("etl_stage_")] + parts


async def no_sleep(seconds: float) -> None:
    """Between attempts, nobody waits here."""


@pytest.fixture
def divided(postgres: Server) -> Iterator[Divided]:
    with serving(MemorySource(posts(), page_size=4)) as source, ExitStack() as stores:
        yield Divided(source, postgres, postgres.fresh_schema(), stores)


def states(run: Run) -> list[str]:
    return [partition.status for partition in run.partitions or ()]


class TestOutcomes:
    def test_each_worker_loads_its_part_and_all_of_it_is_one_run(self, divided: Divided) -> None:
        ended = divided.run()

        assert (ended.status, ended.phase, ended.message) == ("succeeded", "done", None)
        assert (ended.counts.fetched, ended.counts.inserted, ended.counts.add_up) == (30, 30, True)
        assert divided.ids() == list(range(1, 31))
        assert (ended.pages, ended.requests) == (9, {"200": 9})
        assert [
            (part.name, part.status, part.attempt, part.fetched, part.pages) for part in ended.partitions or ()
        ] == [(f"group={group}", "succeeded", 1, 10, 3) for group in GROUPS]
        assert divided.store().run(ended.id) == ended
        assert divided.left() == []

    def test_the_same_again_changes_nothing(self, divided: Divided) -> None:
        divided.run()

        assert divided.run().counts.unchanged == 30

    def test_no_more_workers_are_at_work_than_the_document_says(self, divided: Divided) -> None:
        divided.extract = {"partitions": {"param": "group", "values": list(GROUPS), "parallelism": 2}}
        at_work: list[int] = []
        most = 0

        async def start(run: Run, index: int, failures: int) -> int:
            nonlocal most
            at_work.append(index)
            most = max(most, len(at_work))
            try:
                return await divided.start(run, index, failures)
            finally:
                at_work.remove(index)

        assert divided.run(start_worker=start).status == "succeeded"
        assert most == 2

    def test_a_key_that_comes_in_two_partitions_is_loaded_once_as_the_later_one_has_it(self, divided: Divided) -> None:
        divided.source.records = [
            {"id": 1, "title": "of c", "group": "c"},
            {"id": 1, "title": "of a", "group": "a"},
        ]

        ended = divided.run()

        assert (ended.counts.fetched, ended.counts.inserted, ended.counts.skipped) == (2, 1, 1)
        store = divided.store()
        table = store.table("posts")
        assert table and [row[:2] for row in store.rows(table, Query()).rows] == [(1, "of c")]

    def test_rows_without_a_key_come_in_the_order_of_the_partitions(self, divided: Divided) -> None:
        divided.load = {"key": [], "mode": "append"}

        divided.run()

        assert divided.ids() == [*range(3, 31, 3), *range(1, 31, 3), *range(2, 31, 3)]

    def test_an_empty_partition_is_one_too(self, divided: Divided) -> None:
        divided.source.records = [record for record in posts() if record["group"] != "b"]

        ended = divided.run()

        assert (ended.status, states(ended)) == ("succeeded", ["succeeded"] * 3)
        assert ended.counts.inserted == 20

    def test_a_replace_takes_all_partitions_together(self, divided: Divided) -> None:
        divided.run()
        divided.source.records = posts(9)
        divided.load = {"mode": "replace"}

        ended = divided.run()

        assert (ended.counts.deleted, ended.counts.unchanged) == (21, 9)

    def test_a_preview_reads_one_partition_after_the_other(self, divided: Divided) -> None:
        shown = [
            asyncio.run(preview(divided.document, divided.store(), world=World(), n=15, full=full))
            for full in (False, True)
        ]

        assert [(len(one.before), one.would.fetched) for one in shown] == [(15, 15), (15, 30)]

    def test_pages_are_divided_where_the_source_tells_how_many_there_are(self, divided: Divided) -> None:
        divided.extract = {"partitions": {"count": 4}, "pagination": {"page": {"totalHeader": "X-Total-Count"}}}

        ended = divided.run()

        assert (ended.status, ended.counts.inserted, ended.total) == ("succeeded", 30, 30)
        assert [part.pages for part in ended.partitions or ()] == [2, 2, 2, 2]

    def test_pages_that_are_fewer_than_the_source_said_are_an_error(self, divided: Divided) -> None:
        divided.source.untold = 3
        divided.extract = {"partitions": {"count": 4}, "pagination": {"page": {"totalHeader": "X-Total-Count"}}}

        ended = divided.run()

        assert (ended.status, ended.reason, divided.ids()) == ("failed", "SourceIncomplete", [])

    def test_rejects_of_all_are_kept(self, divided: Divided) -> None:
        divided.source.records = [*posts(), *({"id": None, "title": "none", "group": group} for group in GROUPS)]

        ended = divided.run()

        assert (ended.counts.fetched, ended.counts.inserted, ended.counts.rejected) == (33, 30, 3)
        assert len(divided.store().rejects(WHO, run_id=ended.id)) == 3


class TestFailures:
    def test_a_partition_that_fails_is_tried_again_and_its_rows_take_the_place_of_those_before(
        self, divided: Divided
    ) -> None:
        divided.source.failing["b"] = 2

        ended = divided.run()

        assert (ended.status, ended.counts.inserted, ended.counts.skipped) == ("succeeded", 30, 0)
        assert [(part.attempt, part.reason) for part in ended.partitions or ()] == [(1, None), (3, None), (1, None)]
        assert divided.started.count((1, 2)) == 1

    def test_one_that_fails_for_good_fails_the_run_which_says_which(self, divided: Divided) -> None:
        divided.source.failing["b"] = 99
        divided.source.records = [*posts(), {"id": None, "title": "none", "group": "a"}]

        ended = divided.run()

        assert (ended.status, ended.reason) == ("failed", "SourceFailed")
        assert (ended.message or "").startswith("partition 1 (group=b): ")
        assert (states(ended)[1], (ended.partitions or [])[1].attempt) == ("failed", 3)
        assert divided.ids() == []
        assert len(divided.store().rejects(WHO, run_id=ended.id)) == 1
        assert divided.left() == []

    def test_a_worker_that_is_lost_again_and_again_fails_the_run(self, divided: Divided) -> None:
        async def start(run: Run, index: int, failures: int) -> int:
            return -9 if index == 2 else await divided.start(run, index, failures)

        ended = divided.run(start_worker=start)

        assert (ended.status, ended.reason) == ("failed", "PartitionLost")
        assert (ended.message or "").startswith("partition 2 (group=c): its process ended without a word, with code -9")
        assert divided.ids() == []

    def test_all_together_bear_no_more_errors_than_one_would(self, divided: Divided) -> None:
        divided.source.records = [*posts(), *({"id": None, "title": "none", "group": group} for group in GROUPS)]
        divided.changes = {
            "transform": {"columns": [{"name": "id", "type": "integer", "required": True}], "maxErrors": 2}
        }

        ended = divided.run()

        assert (ended.status, ended.reason) == ("failed", "TooManyRejects")
        assert divided.ids() == []

    def test_a_document_that_has_changed_is_not_gone_on_with(self, divided: Divided) -> None:
        async def start(run: Run, index: int, failures: int) -> int:
            divided.load = {"mode": "append"} if index == 2 else {}
            return await divided.start(run, index, failures)

        ended = divided.run(start_worker=start)

        assert (ended.status, ended.reason) == ("failed", "DocumentChanged")

    def test_a_run_that_is_cancelled_ends_all_workers(self, divided: Divided) -> None:
        store = divided.store()

        def cancel(run: Run) -> None:
            if run.counts.fetched:
                store.cancel(run.id)

        with divided.source.held(after=1):
            ended = divided.run(on_progress=cancel)

        assert (ended.status, ended.reason, divided.ids(), divided.left()) == ("cancelled", "Cancelled", [], [])

    def test_one_that_is_told_to_end_is_ended_once_its_workers_are(self, divided: Divided) -> None:
        world = World(stop=Stop(), sleep=no_sleep)

        def stop(run: Run) -> None:
            if run.counts.fetched:
                world.stop.request("interrupted", "Terminated", "told to end")

        with divided.source.held(after=1):
            ended = divided.run(world, on_progress=stop)

        assert (ended.status, ended.reason, divided.ids()) == ("interrupted", "Terminated", [])
        assert set(states(ended)) == {"interrupted"}


@dataclass
class Job:
    """Workers as the pods of a Job: the first begins the run, and between them there may be nobody."""

    divided: Divided
    request: str = "a-request"

    def pod(self, index: int, *, last: bool = False, world: World | None = None) -> Run:
        return asyncio.run(self.worker(index, last=last, world=world))

    async def worker(self, index: int, *, last: bool = False, world: World | None = None) -> Run:
        store, world = self.divided.store(), world or World()
        begun = await begin_or_join(
            self.divided.document, store, index,
            request_id=self.request, trigger="request", world=world, patience=timedelta(),
        )  # fmt: skip
        return begun if begun.ended else await work(self.divided.document, store, begun, index, last=last, world=world)


@pytest.fixture
def job(divided: Divided) -> Job:
    return Job(divided)


class TestPods:
    def test_one_after_the_other_they_make_one_run(self, divided: Divided, job: Job) -> None:
        first, second = job.pod(0), job.pod(1)

        assert (first.status, states(first)) == ("running", ["succeeded", "pending", "pending"])
        assert (second.status, states(second), divided.ids()) == ("running", ["succeeded", "succeeded", "pending"], [])
        last = job.pod(2)
        assert (last.id, last.status, last.counts.inserted) == (first.id, "succeeded", 30)
        assert divided.left() == []

    def test_all_at_once_they_make_one_run(self, divided: Divided, job: Job) -> None:
        async def all_of_them() -> list[Run]:
            return list(await asyncio.gather(*map(job.worker, reversed(range(3)))))

        ended = asyncio.run(all_of_them())

        assert len({run.id for run in ended}) == 1
        assert sum(run.status == "succeeded" for run in ended) >= 1
        assert len(divided.store().runs(WHO)) == 1
        assert divided.ids() == list(range(1, 31))

    def test_while_none_of_them_is_there_the_pipeline_is_theirs(self, divided: Divided, job: Job) -> None:
        begun = job.pod(0)

        with pytest.raises(Busy) as busy:
            divided.run()

        assert busy.value.run_id == begun.id
        assert end_dead(divided.store(), WHO, datetime.now(UTC)) is None

    def test_one_that_comes_after_all_has_been_merged_finds_that_it_was(self, divided: Divided, job: Job) -> None:
        for index in range(3):
            job.pod(index)

        assert (job.pod(1).status, len(divided.store().runs(WHO))) == ("succeeded", 1)

    def test_one_that_had_completed_and_comes_again_reads_nothing(self, divided: Divided, job: Job) -> None:
        job.pod(0)
        asked = len(divided.source.requests)

        again = job.pod(0)

        assert (states(again), len(divided.source.requests)) == (["succeeded", "pending", "pending"], asked)
        assert [job.pod(1).status, job.pod(2).status] == ["running", "succeeded"]

    def test_who_was_to_merge_and_was_lost_merges_when_it_comes_again(self, divided: Divided, job: Job) -> None:
        job.pod(0), job.pod(1)
        with taking(divided, job, 2) as part:
            part.complete(staged(part))
            assert part.merges

        assert job.pod(0).status == "running"  # another index leaves it to that one
        assert (job.pod(2).status, divided.ids()) == ("succeeded", list(range(1, 31)))

    @pytest.mark.parametrize("ending", ["told to end", "no answer"])
    def test_who_was_to_merge_and_could_not_is_not_done(
        self, divided: Divided, job: Job, ending: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job.pod(0), job.pod(1)
        world, merging = World(stop=Stop()), PostgresPart.merge

        def no_merge(self: PostgresPart, *given: Any, **more: Any) -> Run:
            monkeypatch.setattr(PostgresPart, "merge", merging)
            if ending == "no answer":
                raise DatabaseUnavailable("no answer; check it")
            world.stop.request("interrupted", "Terminated", "told to end")
            raise MergeInterrupted("stopped")

        monkeypatch.setattr(PostgresPart, "merge", no_merge)
        stopped = job.pod(2, world=world)

        part = (stopped.partitions or [])[2]
        wanted = ("interrupted", "Terminated") if ending == "told to end" else ("failed", "DatabaseUnavailable")
        assert (stopped.status, (part.status, part.reason), part.fetched) == ("running", wanted, 10)
        assert (job.pod(2).status, divided.ids()) == ("succeeded", list(range(1, 31)))

    def test_who_is_cut_off_in_its_merge_keeps_nobody_waiting(self, divided: Divided, job: Job) -> None:
        job.pod(0), job.pod(1)
        with taking(divided, job, 2) as part:
            part.complete(staged(part))
            part.link().raw.execute("BEGIN")  # type: ignore[attr-defined]
            part._staged(part.link())  # type: ignore[attr-defined]

            assert (job.pod(2).status, divided.ids()) == ("succeeded", list(range(1, 31)))

    def test_an_attempt_that_was_cut_off_can_complete_nothing(self, divided: Divided, job: Job) -> None:
        job.pod(0), job.pod(1)
        with taking(divided, job, 2) as cut_off:
            record = staged(cut_off)
            with taking(divided, job, 2) as following:
                with pytest.raises(LeaseLost):
                    cut_off.complete(record)
                assert not following.done
        assert (job.pod(2).status, divided.ids()) == ("succeeded", list(range(1, 31)))

    def test_one_that_fails_for_good_ends_the_run_for_all(self, divided: Divided, job: Job) -> None:
        job.pod(0)
        divided.source.failing["b"] = 1

        failed = job.pod(1, last=True)

        assert (failed.status, failed.reason, states(failed)) == (
            "failed", "SourceFailed", ["succeeded", "failed", "pending"],
        )  # fmt: skip
        assert (job.pod(2), divided.ids(), divided.left()) == (failed, [], [])

    def test_the_rejects_of_one_that_had_completed_and_came_again_are_kept(self, divided: Divided, job: Job) -> None:
        divided.source.records = [*posts(), {"id": None, "title": "none", "group": "a"}]
        divided.source.failing["b"] = 1
        job.pod(0), job.pod(0)

        failed = job.pod(1, last=True)

        assert (failed.status, failed.counts.rejected) == ("failed", 1)
        assert len(divided.store().rejects(WHO, run_id=failed.id)) == 1

    def test_one_that_fails_and_may_come_again_says_so_and_the_run_goes_on(self, divided: Divided, job: Job) -> None:
        job.pod(0)
        divided.source.failing["b"] = 1

        failed = job.pod(1)

        part = (failed.partitions or [])[1]
        assert (failed.status, part.status, part.reason, part.attempt) == ("running", "failed", "SourceFailed", 1)
        assert [job.pod(2).status, job.pod(1).status] == ["running", "succeeded"]

    def test_one_that_merges_hears_that_it_is_to_end(
        self, divided: Divided, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = connection._SESSION.replace("lock_timeout TO '5s'", "lock_timeout TO '60s'")
        monkeypatch.setattr(connection, "_SESSION", session)
        divided.run()
        job.pod(0), job.pod(1)
        with divided.server.holding(divided.schema, "posts"):  # which only a merge looks at
            merging = Thread(target=job.pod, args=[2])
            merging.start()
            store = divided.store()
            run = store.requested(WHO, job.request)
            assert run is not None
            while (live := store.run(run.id)) is None or live.phase != "merge":
                time.sleep(0.05)
            time.sleep(1)
            assert store.cancel(run.id)
            merging.join(20)

        ended = store.run(run.id)
        assert ended and ended.status == "cancelled"

    def test_one_that_is_told_to_end_leaves_its_partition_to_another(self, divided: Divided, job: Job) -> None:
        job.pod(0)
        world = World(stop=Stop())
        world.stop.request("interrupted", "Terminated", "told to end")

        assert states(job.pod(1, world=world)) == ["succeeded", "interrupted", "pending"]
        assert [job.pod(2).status, job.pod(1).status] == ["running", "succeeded"]

    def test_where_nobody_is_there_to_hear_that_it_is_cancelled_it_ends_all_the_same(
        self, divided: Divided, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        soon(monkeypatch)
        begun, store = job.pod(0), divided.store()

        assert store.cancel(begun.id)

        ended = end_dead(store, WHO, datetime.now(UTC))
        assert ended and (ended.id, ended.status, ended.reason) == (begun.id, "cancelled", "Cancelled")
        assert (job.pod(1).status, divided.left()) == ("cancelled", [])

    def test_one_whose_job_is_over_is_told_of(
        self, divided: Divided, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        soon(monkeypatch)
        begun, store = job.pod(0), divided.store()
        lost = Lost(
            request_id=job.request, trigger="request", started_at=begun.started_at, ended_at=begun.started_at,
            reason="OutOfMemory", message="partition 1: out of memory at 512Mi",
        )  # fmt: skip
        with pytest.raises(Busy):
            complete(divided.document, store, [lost], World())

        end_dead(store, WHO, datetime.now(UTC))
        (told,) = complete(divided.document, store, [lost], World())

        assert (told.id, told.status, told.reason) == (begun.id, "interrupted", "OutOfMemory")
        assert divided.run().status == "succeeded"

    def test_they_wait_for_the_first_to_begin(self, divided: Divided, job: Job) -> None:
        async def second_first() -> list[Run]:
            second = asyncio.create_task(job.worker(1))
            await asyncio.sleep(0.5)
            assert divided.source.requests == []
            return [await job.worker(0), await second]

        assert [run.status for run in asyncio.run(second_first())] == ["running", "running"]


def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for who may yet be heard."""
    for wait in ("LEASE", "GRACE"):
        monkeypatch.setattr(f"etl_service.load.postgres.lease.{wait}", 0.0)


@contextmanager
def taking(divided: Divided, job: Job, index: int) -> Iterator[Part]:
    store = divided.store()
    run = store.requested(WHO, job.request)
    assert run is not None
    with store.join(run, index, target_of(divided.document), run.started_at) as part:
        yield part


def staged(part: Part) -> Run:
    """Has it stage the records of the last group."""
    rows = [(record["id"], record["title"]) for record in posts() if record["group"] == "c"]
    run = part.whole()
    staging = part.staging(part._target, run_id=run.id, loaded_at=run.started_at)  # type: ignore[attr-defined]
    staging.write(Batch((Column("id", "integer"), Column("title", "text")), rows))
    return run.model_copy(update={"counts": Counts(fetched=len(rows)), "partitions": None})


class TestServer:
    """What becomes of a run when the server goes, at the moments that matter."""

    @pytest.fixture
    def divided(self) -> Iterator[Divided]:
        if reason := database.why_none():
            pytest.skip(reason)
        with (
            database.serving() as server,
            serving(MemorySource(posts(), page_size=4)) as source,
            ExitStack() as stores,
        ):
            yield Divided(source, server, server.fresh_schema(), stores)

    def test_a_restart_between_workers_is_nothing_to_them(self, divided: Divided, job: Job) -> None:
        job.pod(0), job.pod(1)
        divided.server.restart()

        assert (job.pod(2).status, divided.ids()) == ("succeeded", list(range(1, 31)))

    def test_a_crash_takes_what_was_staged_and_with_it_the_run(self, divided: Divided, job: Job) -> None:
        job.pod(0), job.pod(1)
        divided.server.restart("immediate")

        ended = job.pod(2)

        assert (ended.status, ended.reason, divided.ids()) == ("failed", "StagingLost", [])
        assert divided.run().status == "succeeded"

    @pytest.mark.parametrize("committed", [True, False])
    @pytest.mark.parametrize("step", ["complete", "merge"])
    def test_a_commit_that_was_cut_off_is_asked_about(
        self, divided: Divided, job: Job, step: str, committed: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The connection is lost when the commit has gone out: at that moment nobody here knows what became of it."""
        job.pod(0)
        name, calls = ("hold", [False, True]) if step == "complete" else ("end", [True])
        done, cut_off = getattr(Membership, name), iter(calls)

        def do_and_lose(self: Membership, link: Link) -> None:
            done(self, link)
            if next(cut_off, False):
                if committed:
                    link.execute("COMMIT")
                link.raw.close()
                raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(Membership, name, do_and_lose)

        assert [job.pod(1).status, job.pod(2).status] == ["running", "succeeded"]
        assert divided.ids() == list(range(1, 31))
        assert divided.store().totals(WHO)["records", "inserted"] == 30


class TestTurns:
    def test_all_workers_together_ask_no_more_often_than_one_may(self, divided: Divided) -> None:
        divided.extract = {
            "partitions": {"param": "group", "values": list(GROUPS), "parallelism": 3},
            "limits": {"requestsPerSecond": 5, "retries": 0},
        }

        ended = divided.run()

        assert (ended.status, ended.pages) == ("succeeded", 9)
        began, over = datetime.fromisoformat(ended.started_at), datetime.fromisoformat(str(ended.ended_at))
        assert over - began >= timedelta(seconds=8 / 5)  # the first has not to wait

    def test_turns_follow_one_another_whoever_takes_them(self, divided: Divided, job: Job) -> None:
        job.pod(0)
        with taking(divided, job, 1) as one, taking(divided, job, 2) as other:
            waits = [turns.take(100) for turns in (one.turns, other.turns, one.turns)]
            other.turns.pause(1000)
            waits.append(one.turns.take(100))

        assert [round(wait, -1) for wait in waits] == [0, 100, 200, 1000]
