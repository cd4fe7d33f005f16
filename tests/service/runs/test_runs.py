"""Runs over a real source and a real store, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from documents import pipeline
from etl_service.load.errors import Busy
from etl_service.load.sqlite.store import SqliteStore
from etl_service.load.store import Query
from etl_service.model import Counts, Run
from etl_service.runs import World, end_dead, preview, replay, run
from etl_service.runs.errors import NothingToReplay
from sources.memory import MemorySource, serving

WHO = "default/posts"


def posts(count: int, title: str = "a title") -> list[dict[str, Any]]:
    return [{"id": number, "title": title} for number in range(1, count + 1)]


@pytest.fixture
def source() -> Iterator[MemorySource]:
    with serving(MemorySource(posts(3))) as source:
        yield source


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "etl.db")
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def go(source: MemorySource, store: SqliteStore) -> Callable[..., Run]:
    """Run the pipeline once."""

    def go(*, trigger: Any = "cli", request_id: str | None = None, world: World | None = None, **changes: Any) -> Run:
        document = pipeline(source.url, **changes)
        return asyncio.run(run(document, store, trigger=trigger, request_id=request_id, world=world or World()))

    return go


def rows(store: SqliteStore) -> list[tuple[Any, ...]]:
    table = store.table("posts")
    return [row[:-2] for row in store.rows(table, Query(limit=None)).rows] if table else []


def outcome(run: Run) -> dict[str, int]:
    assert run.counts.add_up
    return nonzero(run.counts)


def nonzero(counts: Counts) -> dict[str, int]:
    return {name: count for name, count in counts.model_dump().items() if count}


class TestOutcomes:
    def test_a_run_loads_every_page_and_records_itself(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        source.records, source.page_size = posts(10), 3

        ended = go()

        assert (ended.status, ended.pages, ended.phase) == ("succeeded", 4, "done")
        assert outcome(ended) == {"fetched": 10, "inserted": 10}
        assert ended.requests == {"200": 4}
        assert store.run(ended.id) == ended
        assert len(rows(store)) == 10

    def test_the_same_source_again_changes_nothing(self, go: Callable[..., Run]) -> None:
        go()

        assert outcome(go()) == {"fetched": 3, "unchanged": 3}

    def test_a_record_that_does_not_fit_is_kept_and_the_others_are_loaded(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        source.records = [*posts(2), {"id": "three", "title": "c"}]

        ended = go()

        [reject] = store.rejects(WHO)
        assert outcome(ended) == {"fetched": 3, "inserted": 2, "rejected": 1}
        assert (reject.run_id, reject.field, reject.index) == (ended.id, "id", 2)

    def test_more_rejects_than_the_document_bears_fail_the_run(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        source.records = [{"id": None}] * 5 + posts(1)

        ended = go(transform={"columns": [{"name": "id", "type": "integer", "required": True}], "maxErrors": 3})

        assert (ended.status, ended.reason) == ("failed", "TooManyRejects")
        assert ended.message is not None
        assert "transform.maxErrors" in ended.message
        assert outcome(ended) == {"fetched": 6, "rejected": 5, "skipped": 1}
        assert len(store.rejects(WHO)) == 5
        assert rows(store) == []

    def test_records_left_out_on_purpose_are_counted(self, source: MemorySource, go: Callable[..., Run]) -> None:
        source.records = [*posts(2), {"id": "three"}]

        ended = go(transform={"columns": [{"name": "id", "type": "integer", "required": True}], "onError": "skip"})

        assert outcome(ended) == {"fetched": 3, "inserted": 2, "skipped": 1}

    def test_a_source_that_is_not_there_fails_the_run_and_keeps_the_rows(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        go()
        source.port = 1

        ended = go()

        assert (ended.status, ended.reason) == ("failed", "SourceUnreachable")
        assert len(rows(store)) == 3

    def test_another_pipelines_table_is_refused_before_the_source_is_asked(
        self, source: MemorySource, go: Callable[..., Run]
    ) -> None:
        go()
        asked = len(source.requests)

        ended = go(name="comments")

        assert (ended.status, ended.reason) == ("failed", "TableOwned")
        assert len(source.requests) == asked

    def test_without_columns_the_table_grows_with_the_records(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        source.records = [{"id": 1, "userId": 7}]
        go(transform={})
        source.records = [{"id": 1, "userId": 7.5, "isNew": True}]

        ended = go(transform={})

        assert set(ended.schema_changes) == {
            "widened column user_id from integer to number",
            "added column is_new boolean",
        }
        assert rows(store) == [(1, 7.5, True)]


class TestEnding:
    def test_a_deadline_ends_a_run_that_waits_for_its_source(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        with source.held():
            ended = go(run={"deadline": "1s"})

        assert (ended.status, ended.reason) == ("failed", "DeadlineExceeded")
        assert rows(store) == []

    def test_a_wish_to_cancel_from_another_process_ends_the_run(self, source: MemorySource, store: SqliteStore) -> None:
        async def cancelled() -> Run:
            def cancel(begun: Run) -> None:
                assert store.cancel(begun.id)

            with source.held():
                return await run(pipeline(source.url), store, trigger="cli", world=World(), on_begin=cancel)

        ended = asyncio.run(cancelled())

        assert (ended.status, ended.reason) == ("cancelled", "Cancelled")
        assert rows(store) == []

    def test_a_signal_ends_the_run_as_interrupted(self, source: MemorySource, store: SqliteStore) -> None:
        world = World()

        async def terminated() -> Run:
            def stop(begun: Run) -> None:
                world.stop.request("interrupted", "Terminated", "the process was asked to end")

            with source.held():
                return await run(pipeline(source.url), store, trigger="cli", world=world, on_begin=stop)

        ended = asyncio.run(terminated())

        assert (ended.status, ended.reason) == ("interrupted", "Terminated")
        assert store.running(WHO) is None

    def test_who_looks_on_and_fails_does_not_fail_the_run(self, source: MemorySource, store: SqliteStore) -> None:
        def broken(progress: Run) -> None:
            raise OSError("the terminal is gone")

        ended = asyncio.run(run(pipeline(source.url), store, trigger="cli", world=World(), on_progress=broken))

        assert ended.status == "succeeded"

    def test_progress_is_published_while_the_source_is_read(self, source: MemorySource, store: SqliteStore) -> None:
        source.records, source.page_size = posts(10), 1
        seen: list[int] = []

        def look(progress: Run) -> None:
            live = store.running(WHO)
            if live:
                seen.append(live.counts.fetched)
                source._open.set()

        async def watched() -> Run:
            with source.held():
                return await run(pipeline(source.url), store, trigger="cli", world=World(), on_progress=look)

        ended = asyncio.run(watched())

        assert ended.status == "succeeded"
        assert seen


class TestRequests:
    def test_a_request_that_succeeded_is_not_run_again(self, source: MemorySource, go: Callable[..., Run]) -> None:
        first = go(trigger="request", request_id="once")
        asked = len(source.requests)

        second = go(trigger="request", request_id="once")

        assert second == first
        assert len(source.requests) == asked

    def test_a_request_that_failed_takes_its_record_up_again(
        self, source: MemorySource, go: Callable[..., Run]
    ) -> None:
        port, source.port = source.port, 1
        first = go(trigger="request", request_id="again")
        source.port = port

        second = go(trigger="request", request_id="again")

        assert (first.status, second.status) == ("failed", "succeeded")
        assert (second.id, second.attempt, second.started_at) == (first.id, 2, first.started_at)

    def test_over_rest_the_same_key_is_the_same_run_even_if_it_failed(
        self, source: MemorySource, go: Callable[..., Run]
    ) -> None:
        source.port = 1
        first = go(trigger="rest", request_id="key")

        assert go(trigger="rest", request_id="key") == first

    def test_the_deadline_of_a_request_runs_from_its_first_attempt(
        self, source: MemorySource, go: Callable[..., Run]
    ) -> None:
        port, source.port = source.port, 1
        go(trigger="request", request_id="late")
        source.port = port
        later = World(clock=lambda: datetime.now(UTC) + timedelta(hours=2))

        ended = go(trigger="request", request_id="late", world=later)

        assert (ended.status, ended.reason) == ("failed", "DeadlineExceeded")

    def test_a_second_run_is_told_of_the_first_and_may_wait_for_it(
        self, source: MemorySource, store: SqliteStore
    ) -> None:
        document = pipeline(source.url)

        async def both() -> tuple[Run, Run]:
            begun: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
            with source.held():
                first = asyncio.create_task(
                    run(document, store, trigger="cli", world=World(), on_begin=begun.set_result)
                )
                with pytest.raises(Busy, match=(await begun).id):
                    await run(document, store, trigger="cli", world=World())
                second = asyncio.create_task(
                    run(document, store, trigger="request", world=World(), patience=timedelta(seconds=20))
                )
                await asyncio.sleep(0)  # lets the second meet the lock
            return await first, await second

        first, second = asyncio.run(both())

        assert (outcome(first), outcome(second)) == ({"fetched": 3, "inserted": 3}, {"fetched": 3, "unchanged": 3})


class TestDeadRuns:
    @pytest.fixture
    def dead(self, store: SqliteStore) -> Run:
        """A record that says running, and nobody who runs."""
        record = Run(
            id="dead", pipeline="posts", trigger="request", request_id="r", started_at="2026-11-01T00:00:00.000000Z"
        )
        with store.claim(WHO) as claim:
            claim.begin(record)
        return record

    def test_a_run_that_nobody_holds_is_ended_as_interrupted(self, store: SqliteStore, dead: Run) -> None:
        ended = end_dead(store, WHO, datetime(2026, 11, 2, tzinfo=UTC))

        assert ended is not None
        assert (ended.status, ended.reason) == ("interrupted", "ProcessLost")
        assert store.run("dead") == ended

    def test_a_living_run_is_left_alone(self, store: SqliteStore) -> None:
        with store.claim(WHO) as claim:
            claim.begin(Run(id="alive", pipeline="posts", trigger="cli", started_at="2026-11-01T00:00:00.000000Z"))

            assert end_dead(store, WHO, datetime.now(UTC)) is None

    def test_the_next_run_ends_it_too(self, store: SqliteStore, dead: Run, go: Callable[..., Run]) -> None:
        assert go().status == "succeeded"

        found = store.run("dead")
        assert found is not None
        assert found.status == "interrupted"


class TestReplay:
    def test_rejected_records_are_loaded_under_todays_mapping(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        source.records = [{"id": 1, "title": "a"}, {"id": "x", "title": "b"}]
        with_key_only = {
            "columns": [{"name": "id", "type": "integer", "required": True}, {"name": "title", "type": "date"}]
        }
        go(transform=with_key_only, load={"table": "posts"})
        assert len(store.rejects(WHO)) == 2

        ended = asyncio.run(
            replay(
                pipeline(source.url, transform={"columns": [{"name": "id", "type": "integer"}]}), store, world=World()
            )
        )

        assert ended.trigger == "replay"
        assert outcome(ended) == {"fetched": 2, "inserted": 1, "rejected": 1}
        [left] = store.rejects(WHO)
        assert (left.run_id, left.raw) == (ended.id, '{"id": "x", "title": "b"}')

    def test_what_still_does_not_fit_is_kept_even_where_the_document_leaves_it_out(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        source.records = [{"id": "x"}]
        go()
        careless = pipeline(source.url, transform={"columns": [{"name": "id", "type": "integer"}], "onError": "skip"})

        ended = asyncio.run(replay(careless, store, world=World()))

        assert outcome(ended) == {"fetched": 1, "rejected": 1}
        assert len(store.rejects(WHO)) == 1

    def test_there_must_be_something_to_replay(self, source: MemorySource, store: SqliteStore) -> None:
        with pytest.raises(NothingToReplay):
            asyncio.run(replay(pipeline(source.url), store, world=World()))


class TestPreview:
    def test_it_shows_before_and_after_and_what_would_become_of_the_rows(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        go()
        source.records = [{"id": 1, "title": " changed "}, {"id": None}, {"id": 9, "title": "new"}, *posts(3)]

        seen = asyncio.run(preview(pipeline(source.url), store, world=World(), n=3))

        assert seen.before == [{"id": 1, "title": " changed "}, {"id": None}, {"id": 9, "title": "new"}]
        assert [row and (row["id"], row["title"]) for row in seen.after] == [(1, "changed"), None, (9, "new")]
        assert [(reject.index, reject.reason) for reject in seen.rejected] == [(1, "Required")]
        assert seen.would.model_dump(exclude_defaults=True) == {
            "fetched": 3,
            "inserted": 1,
            "updated": 1,
            "rejected": 1,
        }
        assert len(rows(store)) == 3

    def test_in_full_it_counts_what_the_run_then_does(
        self, source: MemorySource, store: SqliteStore, go: Callable[..., Run]
    ) -> None:
        go()
        source.records, source.page_size = [*posts(2, "changed"), {"id": None}, *posts(40)[2:]], 7

        seen = asyncio.run(preview(pipeline(source.url), store, world=World(), full=True))

        assert seen.would == go().counts

    def test_it_needs_no_table(self, source: MemorySource, store: SqliteStore) -> None:
        seen = asyncio.run(preview(pipeline(source.url), store, world=World(), n=2))

        assert nonzero(seen.would) == {"fetched": 2, "inserted": 2}
        assert seen.schema_changes == ["created table posts"]
        assert store.table("posts") is None


SINCE = {"column": "id", "param": "since", "start": "0"}


class TestIncremental:
    def test_each_run_asks_from_where_the_last_one_ended(self, source: MemorySource, go: Callable[..., Run]) -> None:
        go(extract={"incremental": SINCE})

        go(extract={"incremental": SINCE})

        assert [path.partition("since=")[2] for path in source.requests] == ["0", "3"]

    def test_a_failed_run_does_not_move_the_cursor(self, source: MemorySource, go: Callable[..., Run]) -> None:
        source.records = [*posts(3), {"id": None}]
        strict = {"columns": [{"name": "id", "type": "integer", "required": True}], "onError": "fail"}
        assert go(extract={"incremental": SINCE}, transform=strict).status == "failed"
        source.records = posts(3)

        go(extract={"incremental": SINCE}, transform=strict)

        assert source.requests[-1].endswith("since=0")


def test_worlds_can_be_made_to_measure() -> None:
    world = replace(World(), clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), suffix=lambda: "abcdef")

    assert world.run_id() == "20260102-030405-abcdef"
