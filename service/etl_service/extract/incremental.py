"""Where an incremental run begins."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from etl_service.extract.errors import LookbackImpossible, Place
from etl_service.model import timestamp
from etl_service.spec import Incremental


def begin(incremental: Incremental, cursor: str | int | float | None, place: Place) -> str:
    """The value to send: the document's start as it is written, or the cursor less the lookback.

    Raises:
        LookbackImpossible: the cursor is neither a timestamp nor a date, as tables hold them.
    """
    if cursor is None:
        return incremental.start
    if not incremental.lookback:
        return str(cursor)
    try:
        return _earlier(str(cursor), incremental.lookback)
    except (ValueError, OverflowError) as error:
        what = f"the cursor {cursor!r} of column {incremental.column} is neither a timestamp nor a date"
        raise LookbackImpossible(what, place) from error


def _earlier(moment: str, lookback: timedelta) -> str:
    if len(moment) == len("2024-01-31"):
        midnight = datetime.combine(date.fromisoformat(moment), time(), UTC)
        return (midnight - lookback).date().isoformat()
    parsed = datetime.fromisoformat(moment)
    return timestamp((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)) - lookback)
