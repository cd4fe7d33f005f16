"""Schedules in the dialect of Kubernetes' CronJob: five fields, or a word such as @daily."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError

from etl_service.spec.base import wrong


def parse_cron(text: str) -> str:
    """Understand a schedule as the CronJob controller does, and write it in stars and lists of numbers.

    Those mean the same to cronsim, which has another dialect: to it ``*/2`` is every day of the month, ``14-14/4``
    has no end, and a week has a seventh day.

    Raises:
        PydanticCustomError: the controller would not take it, or it never comes.
    """
    fields = _MACROS.get(text, text).split()
    if len(fields) != len(_FIELDS):
        raise _not_five(text, len(fields))
    minutes, hours, days, months, weekdays = (
        _values(field, given) for field, given in zip(_FIELDS, fields, strict=True)
    )
    longest = max(_SHORTER_MONTHS.get(month, 31) for month in months)
    if _is_star(fields[4]) and min(days) > longest:
        raise wrong(f"never comes: no such month has a day {min(days)}", "correct the day or the month")
    return " ".join(
        (
            _stars(fields[0]) or _listed(minutes),
            _stars(fields[1]) or _listed(hours),
            "*" if _is_star(fields[2]) else _listed(days),
            _listed(months),
            "*" if _is_star(fields[4]) else _listed(weekdays),
        )
    )


def times(text: str, after: datetime, zone: str) -> Iterator[datetime]:
    """Every moment of a schedule after an aware one, in UTC.

    Where clocks go forward, a time that they leap over comes right after the leap; where they go back, a time that
    comes twice is taken once. (What has a star for its minute or hour comes as often as the clock shows it.) The
    CronJob controller is less careful: it leaves the one out, and takes the other twice.
    """
    from cronsim import CronSim

    local = after.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    return (moment.astimezone(UTC) for moment in CronSim(parse_cron(text), local))


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS),
)
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SHORTER_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def _not_five(text: str, count: int) -> PydanticCustomError:
    if text.startswith(("TZ=", "CRON_TZ=")):
        return wrong("names a time zone", "write the zone in timeZone")
    if text.startswith("@every"):
        return wrong("is @every, which has no times of its own", "write five fields, like */15 * * * *")
    if text.startswith("@"):
        return wrong("is no known word", f"write one of {', '.join(_MACROS)}, or five fields")
    hint = "; there is no field for seconds" if count == len(_FIELDS) + 1 else ""
    return wrong(f"has {count} fields, and must have five{hint}", "write minute, hour, day, month and day of the week")


def _values(field: _Field, text: str) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _range(field, part))


def _range(field: _Field, part: str) -> range:
    span, slash, step_text = part.partition("/")
    step = _number(field, step_text) if slash else 1
    if step < 1:
        raise wrong(f"has a step of 0 in the {field.name}", "step by 1 or more")
    if span in ("*", "?"):
        return range(field.least, field.most + 1, step)
    first, dash, last = span.partition("-")
    low = _number(field, first)
    # 5/15 is 5-59/15.
    high = _number(field, last) if dash else field.most if slash else low
    if not field.least <= min(low, high) <= max(low, high) <= field.most:
        sunday = " (Sunday is 0)" if field.words is _DAYS else ""
        raise wrong(f"goes beyond {field.least} to {field.most} in the {field.name}", f"correct it{sunday}")
    if low > high:
        two = f"{low}-{field.most},{field.least}-{high}"
        raise wrong(f"has a range that ends before it begins in the {field.name}", f"write two ranges, such as {two}")
    return range(low, high + 1, step)


def _number(field: _Field, text: str) -> int:
    if text.lower() in field.words:
        return field.words.index(text.lower()) + field.least
    if not (text.isascii() and text.isdigit()):
        message = f"has {text!r} in the {field.name}" if text else f"lacks a number in the {field.name}"
        raise wrong(message, "write numbers, names, and * , - / between them; a CronJob knows no L, W and #")
    return int(text)


def _is_star(text: str) -> bool:
    """Whether the field sets no limit: then the other of the two days decides alone, else either does."""
    parts = (part.partition("/") for part in text.split(","))
    return any(span in ("*", "?") and step.lstrip("0") in ("", "1") for span, _, step in parts)


def _stars(text: str) -> str | None:
    """A star, or a star with a step: cronsim lets them follow the clock through its changes."""
    return text.replace("?", "*") if re.fullmatch(r"[*?](/[0-9]+)?", text) else None


def _listed(values: frozenset[int]) -> str:
    return ",".join(map(str, sorted(values)))
