"""When a schedule comes: as Kubernetes' CronJob says it does, save where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from etl_service.spec import Schedule, next_times


def coming(cron: str, after: str, zone: str | None = None, count: int = 3) -> list[str]:
    moments = next_times(Schedule(cron=cron, time_zone=zone), datetime.fromisoformat(after))
    return [f"{moment:%Y-%m-%d %H:%M}" for moment in islice(moments, count)]


#: What robfig/cron 3.0.1, on which the CronJob controller is built, says comes after Tuesday, 2024-02-27 22:13:14 UTC.
ROBFIG = [
    ("* * * * *", ["2024-02-27 22:14", "2024-02-27 22:15", "2024-02-27 22:16"]),
    ("*/15 * * * *", ["2024-02-27 22:15", "2024-02-27 22:30", "2024-02-27 22:45"]),
    ("?/15 ? ? ? ?", ["2024-02-27 22:15", "2024-02-27 22:30", "2024-02-27 22:45"]),
    ("5/20 * * * *", ["2024-02-27 22:25", "2024-02-27 22:45", "2024-02-27 23:05"]),
    ("56 14-14/4 3 * *", ["2024-03-03 14:56", "2024-04-03 14:56", "2024-05-03 14:56"]),
    ("0 9-17/4,20 * * *", ["2024-02-28 09:00", "2024-02-28 13:00", "2024-02-28 17:00"]),
    ("0 0 29 2 *", ["2024-02-29 00:00", "2028-02-29 00:00", "2032-02-29 00:00"]),
    ("0 0 31 * *", ["2024-03-31 00:00", "2024-05-31 00:00", "2024-07-31 00:00"]),
    ("0 0 * * MON", ["2024-03-04 00:00", "2024-03-11 00:00", "2024-03-18 00:00"]),
    ("0 0 * * 4/2", ["2024-02-29 00:00", "2024-03-02 00:00", "2024-03-07 00:00"]),
    ("0 0 * jan-MAR/2 *", ["2024-03-01 00:00", "2024-03-02 00:00", "2024-03-03 00:00"]),
    # Two limits on the day: either. A star, or a step of 1: no limit. Another step is one.
    ("0 0 1,15 * 1", ["2024-03-01 00:00", "2024-03-04 00:00", "2024-03-11 00:00"]),
    ("0 0 1 * ?", ["2024-03-01 00:00", "2024-04-01 00:00", "2024-05-01 00:00"]),
    ("0 0 */10 * 1", ["2024-03-01 00:00", "2024-03-04 00:00", "2024-03-11 00:00"]),
    ("0 0 */1 * 1", ["2024-03-04 00:00", "2024-03-11 00:00", "2024-03-18 00:00"]),
    ("0 0 30 2 0", ["2025-02-02 00:00", "2025-02-09 00:00", "2025-02-16 00:00"]),
    ("@hourly", ["2024-02-27 23:00", "2024-02-28 00:00", "2024-02-28 01:00"]),
    ("@daily", ["2024-02-28 00:00", "2024-02-29 00:00", "2024-03-01 00:00"]),
    ("@midnight", ["2024-02-28 00:00", "2024-02-29 00:00", "2024-03-01 00:00"]),
    ("@weekly", ["2024-03-03 00:00", "2024-03-10 00:00", "2024-03-17 00:00"]),
    ("@monthly", ["2024-03-01 00:00", "2024-04-01 00:00", "2024-05-01 00:00"]),
    ("@yearly", ["2025-01-01 00:00", "2026-01-01 00:00", "2027-01-01 00:00"]),
    ("@annually", ["2025-01-01 00:00", "2026-01-01 00:00", "2027-01-01 00:00"]),
]


@pytest.mark.parametrize(("cron", "expected"), ROBFIG, ids=[cron for cron, _ in ROBFIG])
def test_a_schedule_comes_when_a_cronjob_would(cron, expected):
    assert coming(cron, "2024-02-27T22:13:14Z") == expected


def test_a_schedule_keeps_to_the_clocks_of_its_zone():
    assert coming("0 9 * * *", "2024-03-30T00:00Z", "Europe/Paris") == [
        "2024-03-30 08:00",
        "2024-03-31 07:00",
        "2024-04-01 07:00",
    ]


def test_a_time_that_the_clocks_leap_over_comes_right_after_the_leap():
    assert coming("30 2 * * *", "2024-03-30T12:00Z", "Europe/Paris", 2) == ["2024-03-31 01:00", "2024-04-01 00:30"]


def test_a_time_that_the_clocks_show_twice_comes_once():
    assert coming("30 2 * * *", "2024-10-26T12:00Z", "Europe/Paris", 2) == ["2024-10-27 00:30", "2024-10-28 01:30"]


def test_what_comes_every_half_hour_comes_so_through_a_change_of_clocks():
    assert coming("*/30 * * * *", "2024-10-27T00:10Z", "Europe/Paris") == [
        "2024-10-27 00:30",
        "2024-10-27 01:00",
        "2024-10-27 01:30",
    ]


def test_the_present_moment_is_not_among_the_next():
    now = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)

    assert next(next_times(Schedule(cron="* * * * *"), now)) == datetime(2024, 1, 1, 12, 1, tzinfo=UTC)


def test_moments_are_in_utc_whatever_the_question_was_in():
    after = datetime.fromisoformat("2024-01-01T12:00:30+05:30")

    assert next(next_times(Schedule(cron="0 * * * *"), after)) == datetime(2024, 1, 1, 7, 0, tzinfo=UTC)
