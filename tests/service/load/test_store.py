"""What every store promises, whatever it is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_service.load.errors import Busy, EmptyReplace, MergeInterrupted, SchemaConflict, TableOwned
from etl_service.load.store import Store
from etl_service.model import Batch, Column, Counts, Run, Value
from etl_service.spec import ColumnType

from .conftest import POST, Loading, moment, outcome, reject, soon


class TestUpsert:
    def test_a_first_load_inserts_all_rows(self, load: Loading) -> None:
        run = load((1, "a"), (2, "b"))

        assert outcome(run) == {"fetched": 2, "inserted": 2}
        assert load.rows() == [(1, "a"), (2, "b")]
        assert run.schema_changes == ["created table posts"]

    def test_the_same_rows_again_are_unchanged_and_not_rewritten(self, load: Loading) -> None:
        load((1, "a"), (2, "b"))

        run = load((1, "a"), (2, "b"))

        assert outcome(run) == {"fetched": 2, "unchanged": 2}
        assert load.column("run_id") == ["run-1", "run-1"]

    def test_only_a_changed_row_is_updated(self, load: Loading) -> None:
        load((1, "a"), (2, "b"))

        run = load((1, "a"), (2, "changed"), (3, "new"))

        assert outcome(run) == {"fetched": 3, "inserted": 1, "updated": 1, "unchanged": 1}
        assert load.column("run_id") == ["run-1", "run-2", "run-2"]
        assert load.column("loaded_at") == [moment(1), moment(2), moment(2)]

    def test_null_and_a_value_differ_and_null_and_null_do_not(self, load: Loading) -> None:
        load((1, None), (2, None), (3, "c"))

        run = load((1, None), (2, "b"), (3, None))

        assert outcome(run) == {"fetched": 3, "updated": 2, "unchanged": 1}

    def test_a_key_that_comes_twice_is_loaded_once_as_it_came_last(self, load: Loading) -> None:
        run = load((1, "first"), (2, "b"), (1, "last"))

        assert outcome(run) == {"fetched": 3, "inserted": 2, "skipped": 1}
        assert load.rows() == [(1, "last"), (2, "b")]

    def test_a_key_of_several_columns_tells_rows_apart(self, load: Loading) -> None:
        columns = (Column("lang", "text"), Column("id", "integer"), Column("title", "text"))
        key = ("lang", "id")
        load(("en", 1, "a"), ("fr", 1, "b"), columns=columns, key=key)

        run = load(("en", 1, "a"), ("fr", 1, "changed"), ("fr", 2, "new"), columns=columns, key=key)

        assert outcome(run) == {"fetched": 3, "inserted": 1, "updated": 1, "unchanged": 1}

    def test_rows_that_are_nothing_but_their_key_are_inserted_or_unchanged(self, load: Loading) -> None:
        columns = (Column("id", "integer"),)
        load((1,), columns=columns)

        run = load((1,), (2,), columns=columns)

        assert outcome(run) == {"fetched": 2, "inserted": 1, "unchanged": 1}

    def test_columns_that_the_mapping_has_no_more_keep_their_values(self, load: Loading) -> None:
        load((1, "a"))

        load((1,), (2,), columns=POST[:1])

        assert load.rows() == [(1, "a"), (2, None)]

    def test_no_rows_make_the_table_all_the_same(self, load: Loading) -> None:
        run = load()

        assert outcome(run) == {}
        assert load.rows() == []

    def test_rows_without_columns_are_skipped(self, load: Loading) -> None:
        run = load((), (), columns=(), key=(), mode="append")

        assert outcome(run) == {"fetched": 2, "skipped": 2}


class TestAppend:
    def test_with_a_key_rows_already_there_are_skipped(self, load: Loading) -> None:
        load((1, "a"), mode="append")

        run = load((1, "other"), (2, "b"), mode="append")

        assert outcome(run) == {"fetched": 2, "inserted": 1, "skipped": 1}
        assert load.rows() == [(1, "a"), (2, "b")]

    def test_without_a_key_all_rows_are_inserted(self, load: Loading) -> None:
        load((1, "a"), mode="append", key=())

        run = load((1, "a"), (1, "a"), mode="append", key=())

        assert outcome(run) == {"fetched": 2, "inserted": 2}
        assert load.rows() == [(1, "a")] * 3


class TestReplace:
    def test_rows_that_did_not_come_are_deleted_and_counted(self, load: Loading) -> None:
        load((1, "a"), (2, "b"), (3, "c"))

        run = load((2, "b"), (3, "changed"), (4, "new"), mode="replace")

        assert outcome(run) == {"fetched": 3, "inserted": 1, "updated": 1, "unchanged": 1, "deleted": 1}
        assert load.rows() == [(2, "b"), (3, "changed"), (4, "new")]

    def test_without_a_key_the_whole_table_is_swapped(self, load: Loading) -> None:
        load((1, "a"), (2, "b"), mode="replace", key=())

        run = load((3, "c"), mode="replace", key=())

        assert outcome(run) == {"fetched": 1, "inserted": 1, "deleted": 2}
        assert load.rows() == [(3, "c")]

    def test_nothing_replaces_nothing_unless_that_is_allowed(self, load: Loading) -> None:
        load((1, "a"))

        with pytest.raises(EmptyReplace, match="allowEmpty"):
            load(mode="replace")

        assert load.rows() == [(1, "a")]

    def test_nothing_empties_the_table_where_that_is_allowed(self, load: Loading) -> None:
        load((1, "a"))

        run = load(mode="replace", allow_empty=True)

        assert outcome(run) == {"deleted": 1}
        assert load.rows() == []


class TestSchema:
    def test_new_columns_are_added(self, load: Loading) -> None:
        load((1, "a"), (2, "b"))

        run = load((1, "a", 0.5), columns=(*POST, Column("score", "number")))

        assert run.schema_changes == ["added column score number"]
        assert load.column("score") == [0.5, None]

    @pytest.mark.parametrize(
        ("old", "value", "new", "becomes"),
        [
            ("integer", 7, "number", 7.0),
            ("integer", 7, "text", "7"),
            ("integer", 7, "json", "7"),
            ("number", 0.1, "text", "0.1"),
            ("boolean", True, "text", "true"),
            ("boolean", False, "json", "false"),
            ("date", "2026-01-02", "timestamp", "2026-01-02T00:00:00.000000Z"),
            ("date", "2026-01-02", "text", "2026-01-02"),
            ("timestamp", moment(1), "text", moment(1)),
            ("text", 'say "hé"', "json", '"say \\"hé\\""'),
        ],
    )
    def test_a_column_widens_and_keeps_its_values(
        self, load: Loading, old: ColumnType, value: Value, new: ColumnType, becomes: Value
    ) -> None:
        load((1, value), columns=(POST[0], Column("x", old)))

        run = load((2, None), columns=(POST[0], Column("x", new)))

        assert run.schema_changes == [f"widened column x from {old} to {new}"]
        assert load.column("x") == [becomes, None]

    def test_a_row_that_differs_only_by_the_wider_type_is_unchanged(self, load: Loading) -> None:
        load((1, 7), columns=(POST[0], Column("x", "integer")))

        run = load((1, "7"), columns=(POST[0], Column("x", "text")))

        assert outcome(run) == {"fetched": 1, "unchanged": 1}

    def test_a_column_widens_between_two_batches_of_a_run(self, load: Loading) -> None:
        narrow, wide = (POST[0], Column("x", "integer")), (POST[0], Column("x", "text"), Column("y", "boolean"))

        load(batches=[Batch(narrow, [(1, 1)]), Batch(wide, [(2, "two", True)])])

        assert load.rows() == [(1, "1", None), (2, "two", True)]

    def test_a_column_does_not_become_narrower(self, load: Loading) -> None:
        load((1, "a"))

        with pytest.raises(SchemaConflict, match="title of table posts is text and cannot become integer"):
            load((1, 2), columns=(POST[0], Column("title", "integer")))

        assert load.rows() == [(1, "a")]

    def test_a_key_does_not_change(self, load: Loading) -> None:
        load((1, "a"))

        with pytest.raises(SchemaConflict, match=r"load\.key"):
            load((1, "a"), key=("title",))

    def test_a_key_widens_only_where_old_and_new_are_written_alike(self, load: Loading) -> None:
        load((5, "a"))

        run = load(("5", "b"), ("05", "c"), columns=(Column("id", "text"), POST[1]))

        assert outcome(run) == {"fetched": 2, "inserted": 1, "updated": 1}
        with pytest.raises(SchemaConflict):
            load(("5", "b"), columns=(Column("id", "json"), POST[1]))

    def test_integers_that_a_number_cannot_hold_are_not_rounded(self, load: Loading) -> None:
        load((1, 2**53 + 1), columns=(POST[0], Column("x", "integer")))

        with pytest.raises(SchemaConflict, match="map it as integer or as text"):
            load((2, 1.5), columns=(POST[0], Column("x", "number")))

        assert load.column("x") == [2**53 + 1]

    def test_hundreds_of_columns_are_compared_and_merged(self, load: Loading) -> None:
        columns = (POST[0], *(Column(f"c{number}", "integer") for number in range(800)))
        load((1, *range(800)), columns=columns)

        run = load((1, *range(799), 0), columns=columns)

        assert outcome(run) == {"fetched": 1, "updated": 1}

    def test_a_replace_leaves_no_old_value_in_a_column_that_the_mapping_has_no_more(self, load: Loading) -> None:
        load((1, "a"), mode="replace")

        load((1,), columns=POST[:1], mode="replace")

        assert load.rows() == [(1, None)]

    def test_a_table_belongs_to_the_pipeline_that_made_it(self, load: Loading) -> None:
        load((1, "a"))

        with pytest.raises(TableOwned, match="default/posts"):
            load((1, "a"), pipeline="default/other")


class TestHistory:
    def test_rejects_are_kept_with_where_they_came_from(self, store: Store, load: Loading) -> None:
        run = load((1, "a"), rejects=[reject(b'{"id": "x"}')])

        [kept] = store.rejects("default/posts", run_id=run.id)
        assert outcome(run) == {"fetched": 2, "inserted": 1, "rejected": 1}
        assert (kept.url, kept.page, kept.index, kept.field, kept.reason) == (
            "http://source/posts",
            1,
            7,
            "id",
            "Required",
        )
        assert (kept.raw, kept.whole, kept.fetched_at) == ('{"id": "x"}', True, moment(1))

    def test_a_raw_record_that_is_no_text_is_kept_readable(self, store: Store, load: Loading) -> None:
        load(rejects=[reject(b'{"t": "\xff"}'), reject(b"x" * (1024 * 1024 + 1))])

        broken, long = store.rejects("default/posts")

        assert broken.raw == '{"t": "\\xff"}'
        assert len(long.raw) == 1024 * 1024
        assert not long.whole

    def test_a_failed_run_keeps_its_rejects_and_loads_nothing(self, store: Store, load: Loading) -> None:
        with store.claim("default/posts") as claim:
            run = Run(id="bad", pipeline="posts", trigger="cli", started_at=moment(1))
            claim.begin(run)
            claim.staging(load.target, run_id="bad", loaded_at=moment(1)).write(Batch(POST, [(1, "a")], [reject()]))
            claim.end(run.model_copy(update={"status": "failed", "reason": "SourceFailed"}))

        assert store.table("posts") is None
        assert store.run("bad") == store.last("default/posts", "failed")
        assert len(store.rejects("default/posts", run_id="bad")) == 1

    def test_the_next_attempt_at_a_run_begins_without_the_rejects_of_the_last(
        self, store: Store, load: Loading
    ) -> None:
        run = Run(id="again", pipeline="posts", trigger="request", started_at=moment(1))
        for attempt in (1, 2):
            with store.claim("default/posts") as claim:
                claim.begin(run)
                claim.staging(load.target, run_id=run.id, loaded_at=moment(attempt)).write(Batch(POST, [], [reject()]))
                claim.end(run.model_copy(update={"status": "failed", "attempt": attempt}))

        assert len(store.rejects("default/posts")) == 1

    def test_a_wish_to_cancel_an_attempt_is_not_for_the_next(self, store: Store) -> None:
        run = Run(id="again", pipeline="posts", trigger="request", started_at=moment(1))
        with store.claim("default/posts") as claim:
            claim.begin(run)
            store.cancel("again")
            claim.begin(run)

            assert not claim.cancelled()

    def test_runs_come_newest_first_a_page_at_a_time(self, store: Store, load: Loading) -> None:
        for number in range(5):
            load((number, "a"))

        first = store.runs("default/posts", limit=2)
        second = store.runs("default/posts", limit=2, before=first[-1].id)

        assert [run.id for run in [*first, *second]] == ["run-5", "run-4", "run-3", "run-2"]

    def test_a_record_reads_back_as_it_was_written(self, store: Store, load: Loading) -> None:
        written = load((1, "a"), rejects=[reject()])

        assert store.run(written.id) == written

    def test_totals_add_up_over_runs(self, store: Store, load: Loading) -> None:
        load((1, "a"))
        load((1, "a"), (2, "b"))

        totals = store.totals("default/posts")

        assert totals["runs", "succeeded"] == 2
        assert (totals["records", "inserted"], totals["records", "unchanged"]) == (2, 1)

    def test_pipelines_of_one_database_do_not_see_each_other(self, store: Store, load: Loading) -> None:
        load((1, "a"), rejects=[reject()])

        load((1, "a"), pipeline="other/posts", table="other_posts")

        assert [run.id for run in store.runs("other/posts")] == ["run-2"]
        assert store.rejects("other/posts") == []


class TestReplayedRows:
    def test_a_row_loaded_since_is_left_alone_and_an_older_one_is_not(self, store: Store, load: Loading) -> None:
        load((1, "old"), (2, "old"))
        rejects = [reject(b"{}"), reject(b"{}")]
        load((3, "c"), rejects=rejects)
        load((2, "newer"))

        run = load(
            batches=[Batch(POST, [(1, "replayed"), (2, "replayed")], fetched_at=moment(2))],
            replayed=[kept.id for kept in store.rejects("default/posts")],
            replay=True,
        )

        assert outcome(run) == {"fetched": 2, "updated": 1, "skipped": 1}
        assert load.rows() == [(1, "replayed"), (2, "newer"), (3, "c")]
        assert load.column("loaded_at") == [moment(4), moment(3), moment(2)]
        assert store.rejects("default/posts") == []

    def test_a_row_that_a_whole_run_has_seen_unchanged_since_is_left_alone_too(
        self, store: Store, load: Loading
    ) -> None:
        load((1, "as it is"))
        load(rejects=[reject(b"{}")])
        load((1, "as it is"))

        run = load(
            batches=[Batch(POST, [(1, "as it was"), (2, "new")], fetched_at=moment(2))], replay=True, complete=True
        )

        assert outcome(run) == {"fetched": 2, "inserted": 1, "skipped": 1}
        assert load.rows() == [(1, "as it is"), (2, "new")]


class TestCursor:
    def test_it_moves_with_the_merge_to_the_greatest_value_and_never_back(self, store: Store, load: Loading) -> None:
        target = replace(load.target, cursor_column="id")
        assert store.cursor(target) is None

        load((3, "c"), (9, "i"), (4, "d"), cursor_column="id")
        assert store.cursor(target) == 9

        load((5, "e"), cursor_column="id")
        assert store.cursor(target) == 9

    def test_it_stays_where_it_was_when_the_merge_is_rolled_back(self, store: Store, load: Loading) -> None:
        load((3, "c"), cursor_column="id")

        with pytest.raises(MergeInterrupted):
            load(*((number, "x") for number in range(20_000)), cursor_column="id", interrupt=lambda: True)

        assert store.cursor(replace(load.target, cursor_column="id")) == 3
        assert load.rows() == [(3, "c")]


class TestLock:
    def test_who_comes_second_is_told_who_was_first(self, store: Store) -> None:
        with store.claim("default/posts") as claim:
            claim.begin(Run(id="first", pipeline="posts", trigger="cli", started_at=moment(1)))

            with pytest.raises(Busy) as busy:
                store.claim("default/posts")

            assert busy.value.run_id == "first"

        with store.claim("default/posts"):
            pass

    def test_pipelines_do_not_wait_for_each_other(self, store: Store) -> None:
        with store.claim("default/posts"), store.claim("default/comments"):
            pass

    def test_progress_and_the_wish_to_cancel_reach_the_other_side(self, store: Store) -> None:
        with store.claim("default/posts") as claim:
            run = Run(id="first", pipeline="posts", trigger="cli", started_at=moment(1))
            claim.begin(run)

            claim.publish(run.model_copy(update={"counts": Counts(fetched=50)}))
            assert not claim.cancelled()
            assert store.cancel("first")

            soon(claim.cancelled)
            soon(lambda: [run.counts.fetched for run in store.runs("default/posts")] == [50])

    def test_a_run_that_has_ended_cannot_be_cancelled(self, store: Store, load: Loading) -> None:
        run = load((1, "a"))

        assert not store.cancel(run.id)
        assert not store.cancel("unknown")


class TestPreview:
    def test_it_says_what_a_merge_would_do_and_changes_nothing(self, store: Store, load: Loading) -> None:
        load((1, "a"), (2, "b"))

        with store.preview(load.target) as staging:
            staging.write(Batch((*POST, Column("x", "text")), [(1, "a", None), (2, "changed", None), (3, "new", "x")]))
            would = staging.compare()

        assert {name: n for name, n in would.counts.model_dump().items() if n} == {
            "fetched": 3,
            "inserted": 1,
            "updated": 1,
            "unchanged": 1,
        }
        assert would.schema_changes == ("added column x text",)
        assert load.rows() == [(1, "a"), (2, "b")]


_MODES = st.sampled_from(["upsert", "append", "replace"])
_RUNS = st.lists(
    st.tuples(_MODES, st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["a", "b", None])), max_size=12)),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=_RUNS)
def test_any_sequence_of_runs_leaves_what_a_dictionary_would(
    store: Store, runs: list[tuple[str, list[tuple[int, str | None]]]]
) -> None:
    table = f"t{next(_TABLES)}"
    load = Loading(store)
    expected: dict[int, str | None] = {}
    for mode, rows in runs:
        before = dict(expected)
        latest = dict(rows)
        if mode == "append":
            expected = latest | before
        elif mode == "replace":
            expected = latest
        else:
            expected = before | latest

        run = load(*rows, table=table, mode=mode, allow_empty=True, pipeline=f"default/{table}")

        assert load.rows(table) == sorted(expected.items())
        assert run.counts.inserted == len(latest.keys() - before.keys())
        assert run.counts.deleted == len(before.keys() - expected.keys())


_TABLES = iter(range(1_000_000))
