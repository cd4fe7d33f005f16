"""What Prometheus is told of pipelines: the state of the cluster in, samples out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from etl_operator.cache import Cache
from etl_operator.kinds import Key
from etl_operator.pipeline_metrics import PipelineMetrics
from operator_tests.cluster_state import NOW, State, resource
from operator_tests.test_status import FROM_THE_PAGE, REPORT, run_once

NIGHTLY = {"cron": "0 3 * * *"}


class Scraped:
    """An operator's cache, and what Prometheus reads of it."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.failures: dict[Key, int] = {}
        self.registry = CollectorRegistry()
        self.registry.register(PipelineMetrics(self.cache, lambda key: self.failures.get(key, 0)))
        self._version = 0

    def see(self, state: State) -> None:
        self._version += 1
        state.body["metadata"]["resourceVersion"] = str(self._version)
        self.cache.put(state.body)

    def get(self, name: str, **labels: str) -> float | None:
        usual = {"namespace": "team", "pipeline": "posts"}
        return self.registry.get_sample_value(f"etl_pipeline_{name}", usual | labels)

    def series(self, name: str) -> list[dict[str, str]]:
        families = self.registry.collect()
        return [
            sample.labels for family in families for sample in family.samples if sample.name == f"etl_pipeline_{name}"
        ]


@pytest.fixture
def scraped():
    return Scraped()


def made(spec: dict[str, Any] | None = None, created: str = "2026-03-01T12:00:00Z", name: str = "posts") -> State:
    return State(resource(spec, creationTimestamp=created, name=name))


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def test_a_run_is_told_with_its_end_its_records_and_the_rows_after_it(scraped):
    posts = made()
    run = run_once(posts, report=json.dumps(REPORT))

    scraped.see(posts)

    assert scraped.get("last_success_timestamp_seconds") == seconds(run["endTime"]) == NOW.timestamp()
    assert scraped.get("last_run_end_timestamp_seconds") == NOW.timestamp()
    assert scraped.get("last_run_duration_seconds") == 0
    assert scraped.get("last_run_records", outcome="fetched") == 100
    assert scraped.get("last_run_records", outcome="rejected") == 3
    assert scraped.get("rows") == 97
    assert scraped.get("run_in_progress") == 0
    assert scraped.get("condition", condition="RunSucceeded", reason="Succeeded") == 1


def test_a_pipeline_that_has_not_run_has_conditions_and_no_times(scraped):
    posts = made()
    posts.reconcile()

    scraped.see(posts)

    assert scraped.get("condition", condition="Ready", reason="Available") == 1
    assert scraped.get("last_success_timestamp_seconds") is None
    assert scraped.get("success_due_timestamp_seconds") is None
    assert scraped.get("last_run_records", outcome="fetched") is None


def test_one_that_the_operator_has_not_looked_at_yet_is_told_of_all_the_same(scraped):
    scraped.see(made())

    assert scraped.get("reconcile_failures") == 0
    assert scraped.series("condition") == []


def test_a_failed_run_is_told_with_its_reason_and_the_last_success_stays(scraped):
    posts = made()
    run_once(posts, report=json.dumps(REPORT))
    failed = {"id": "r-2", "status": "failed", "reason": "PageRepeated", "message": "again", "counts": {}}
    run_once(posts, "two", well=False, report=json.dumps({"run": failed}))

    scraped.see(posts)

    assert scraped.get("condition", condition="RunSucceeded", reason="PageRepeated") == 0
    assert scraped.get("last_success_timestamp_seconds") == NOW.timestamp()


def test_a_success_is_due_after_the_next_time_of_the_schedule_and_the_deadline(scraped):
    # given a success at noon, and runs at three at night that may take two hours
    posts = made({"schedule": NIGHTLY, "run": {"deadline": "2h"}})
    run_once(posts, report=json.dumps(REPORT))

    scraped.see(posts)

    assert scraped.get("success_due_timestamp_seconds") == seconds("2026-03-02T05:00:00Z")
    assert scraped.get("next_schedule_timestamp_seconds") == seconds("2026-03-02T03:00:00Z")


def test_a_pipeline_that_is_resumed_is_given_until_its_next_time(scraped):
    # given one that was suspended for months after its last success
    posts = made({"schedule": NIGHTLY, "suspend": True}, created="2025-10-01T12:00:00Z")
    posts.body["status"] = {"lastSuccessTime": "2025-10-02T03:00:05Z"}
    posts.reconcile()

    posts.body["spec"]["suspend"] = False
    posts.reconcile()
    scraped.see(posts)

    assert scraped.get("success_due_timestamp_seconds") == seconds("2026-03-02T04:00:00Z")


def test_a_first_success_is_due_too(scraped):
    scraped.see(made({"schedule": NIGHTLY}, created="2026-02-27T12:00:00Z"))

    assert scraped.get("success_due_timestamp_seconds") == seconds("2026-02-28T04:00:00Z")


def test_the_schedule_is_that_of_its_time_zone(scraped):
    scraped.see(made({"schedule": {**NIGHTLY, "timeZone": "Asia/Tokyo"}}, created="2026-02-27T12:00:00Z"))

    assert scraped.get("success_due_timestamp_seconds") == seconds("2026-02-27T19:00:00Z")


def test_nothing_is_due_while_suspended_which_is_told(scraped):
    posts = made({"schedule": NIGHTLY, "suspend": True})
    posts.reconcile()

    scraped.see(posts)

    assert scraped.get("success_due_timestamp_seconds") is None
    assert scraped.get("condition", condition="Suspended", reason="Suspended") == 1


def test_a_schedule_that_cannot_be_is_stalled_and_due_never(scraped):
    posts = made({"schedule": {"cron": "0 25 * * *"}})
    posts.reconcile()

    scraped.see(posts)

    assert scraped.get("success_due_timestamp_seconds") is None
    assert scraped.get("condition", condition="Stalled", reason="InvalidSpec") == 1


def test_a_run_under_way_is_told_beside_the_numbers_of_the_one_before(scraped):
    posts = made()
    run_once(posts, report=json.dumps(REPORT))
    posts.request("two")
    posts.reconcile()
    posts.reconcile()

    scraped.see(posts)

    assert scraped.get("run_in_progress") == 1
    assert scraped.get("last_run_records", outcome="fetched") == 100


def test_a_pipeline_that_was_deleted_has_no_series(scraped):
    posts, orders = made(), made(name="orders")
    scraped.see(posts)
    scraped.see(orders)
    assert len(scraped.series("run_in_progress")) == 2

    scraped.cache.remove(posts.body)

    assert scraped.series("run_in_progress") == [{"namespace": "team", "pipeline": "orders"}]
    assert scraped.series("reconcile_failures") == [{"namespace": "team", "pipeline": "orders"}]


def test_a_change_is_in_the_next_answer(scraped):
    posts = made()
    posts.reconcile()
    scraped.see(posts)
    assert scraped.get("rows") is None

    run_once(posts, report=json.dumps(REPORT))
    scraped.see(posts)

    assert scraped.get("rows") == 97


def test_a_pipeline_that_rests_is_not_read_again(scraped, monkeypatch):
    scraped.see(made())
    assert scraped.get("run_in_progress") == 0

    monkeypatch.setattr(scraped.cache, "pipeline", None)

    assert scraped.get("run_in_progress") == 0


def test_looks_that_failed_are_counted_until_one_does_not(scraped):
    scraped.see(made())

    scraped.failures[Key("team", "posts")] = 7

    assert scraped.get("reconcile_failures") == 7


def test_a_service_can_neither_break_the_metrics_nor_fill_them_with_words(scraped):
    # given a service, which is its owners', that tells nonsense
    posts = made({"schedule": NIGHTLY})
    never = FROM_THE_PAGE | {"id": "r-6", "started_at": "once", "ended_at": "yesterday"}
    failed = FROM_THE_PAGE | {"status": "failed", "reason": 'x"} 1\n', "started_at": "today", "ended_at": "later"}
    posts.history = [failed, never]
    posts.reconcile()

    scraped.see(posts)

    assert scraped.get("condition", condition="RunSucceeded", reason="Other") == 0
    assert scraped.get("last_run_end_timestamp_seconds") is None


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"])
def test_a_success_at_the_end_of_all_times_takes_no_metric_of_others_with_it(scraped, time):
    posts, orders = made({"schedule": NIGHTLY}), made(name="orders")
    posts.body["status"] = {"lastSuccessTime": time}

    scraped.see(posts)
    scraped.see(orders)

    assert scraped.get("success_due_timestamp_seconds") is None
    assert scraped.get("run_in_progress", pipeline="orders") == 0


def test_nothing_is_owed_of_a_schedule_that_was_changed(scraped):
    # given one that runs each month, and did
    posts = made({"schedule": {"cron": "0 3 15 * *"}}, created="2025-10-01T12:00:00Z")
    posts.body["status"] = {"lastSuccessTime": "2026-02-15T03:00:05Z"}
    posts.reconcile()
    posts.status["scheduledSince"] = "2025-10-01T12:00:00Z"

    posts.body["spec"]["schedule"] = NIGHTLY
    posts.reconcile()
    scraped.see(posts)

    assert scraped.get("success_due_timestamp_seconds") == seconds("2026-03-02T04:00:00Z")
