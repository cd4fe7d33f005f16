"""When runs begin by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from etl_service.spec.base import Model, wrong
from etl_service.spec.cron import parse_cron, times
from etl_service.spec.text import plain_text


def _look_at_cron(text: str) -> None:
    parse_cron(text)


def _look_at_zone(text: str) -> None:
    if text.lower() in ("local", "localtime"):
        raise wrong("is another zone on every machine", _NAME_A_ZONE)
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong("is no time zone that is known here", _NAME_A_ZONE) from None


_NAME_A_ZONE = "name one, like Europe/Paris or UTC"
_ZONE = "[A-Za-z][-A-Za-z0-9_+]*(/[A-Za-z0-9][-A-Za-z0-9_+]*)*"

CronText = Annotated[
    str,
    plain_text(
        "a schedule", "write five fields, like */15 * * * *, or @hourly", r"[^\x00-\x1f\x7f]+", 128, 1, _look_at_cron
    ),
]
TimeZone = Annotated[str, plain_text("a time zone", _NAME_A_ZONE, _ZONE, 64, 1, _look_at_zone)]


class Schedule(Model):
    """When runs begin by themselves."""

    cron: CronText = Field(
        description="Minute, hour, day of the month, month and day of the week (0 to 6, Sunday is 0), in the dialect "
        "of Kubernetes' CronJob: numbers, names, *, ranges, steps and lists; or @hourly, @daily, @weekly, @monthly, "
        "@yearly."
    )
    time_zone: TimeZone | None = Field(
        default=None, description="Time zone of the schedule, such as Europe/Paris. Default: UTC."
    )


def next_times(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Every moment at which a run begins after an aware one: in UTC, in order, without end."""
    return times(schedule.cron, after, schedule.time_zone or "UTC")
