"""What the service does unasked: ends runs whose process is lost, and begins those that the schedule wants."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from etl_service.api.begin import begin_run
from etl_service.api.service import Service
from etl_service.errors import EtlError
from etl_service.load.errors import Busy
from etl_service.runs import Lost, complete, end_dead
from etl_service.spec import Schedule, next_times

#: How long a lost run may stay unnoticed, and a scheduled one begin late, in seconds.
TICK = 0.5

_log = logging.getLogger(__name__)


async def watch(service: Service) -> None:
    """Look every `TICK`, until cancelled; what goes wrong once is tried again."""
    settings = service.settings
    kept_here = service.pipeline.spec.schedule if settings.keep_schedule else None
    timetable = Timetable(kept_here, service.world.clock()) if kept_here else None
    written, told = None, b""
    trouble = ""
    while True:
        await asyncio.sleep(TICK)
        try:
            await _end_dead(service)
            if written != (written := _written(service.document)):
                service.follow()
            if settings.lost_runs:
                told = await _complete(service, settings.lost_runs, told)
            moment = timetable.due(service.world.clock()) if timetable else None
            if moment and not service.pipeline.spec.suspend:
                await _begin_scheduled(service, moment)
            trouble = ""
        except EtlError as error:
            if error.message != trouble:  # a database that is away for an hour is one line, not 7,200
                _log.warning("%s", error.message, extra={"reason": error.reason})
            trouble = error.message
        except Exception:
            _log.exception("the watch failed for a reason that the service does not know; it goes on")


class Timetable:
    """The moments of a schedule, each told once.

    Moments that pass while nobody asks (the machine slept, the clock jumped) are told as one, the latest;
    those from before it was made are not told at all.
    """

    def __init__(self, schedule: Schedule, now: datetime) -> None:
        self._moments = next_times(schedule, now)
        self._next = next(self._moments, None)

    def due(self, now: datetime) -> datetime | None:
        """The latest moment that has come since the last asking."""
        latest = None
        while self._next is not None and self._next <= now:
            latest = self._next
            self._next = next(self._moments, None)
        return latest


def _written(document: Path) -> tuple[int, int] | None:
    """What changes with the file: where it is, and when it was written."""
    with suppress(OSError):
        state = document.stat()
        return state.st_ino, state.st_mtime_ns
    return None


async def _end_dead(service: Service) -> None:
    name = service.pipeline.full_name
    if ended := await service.aside(end_dead, service.store, name, service.world.clock()):
        _log.warning("run %s was lost: %s", ended.id, ended.message, extra={"run": ended.id, "reason": ended.reason})


async def _complete(service: Service, path: Path, seen: bytes) -> bytes:
    """Have the history tell what the file knows of lost runs; gives what of it has been told."""
    try:
        told = path.read_bytes()
    except OSError:
        return seen
    if told == seen:
        return seen
    try:
        runs = await service.aside(
            complete, service.pipeline, service.store, _LOST_RUNS.validate_json(told), service.world
        )
    except Busy:  # the next look will do
        return seen
    except ValidationError as error:
        _log.warning("%s is no list of lost runs: %s", path, error)
    else:
        for run in runs:
            _log.warning("run %s was lost: %s", run.id, run.message, extra={"run": run.id, "reason": run.reason})
    return told


_LOST_RUNS = TypeAdapter(list[Lost])


async def _begin_scheduled(service: Service, moment: datetime) -> None:
    # The moment is the request's id: two services that keep one schedule on one database begin one run.
    try:
        run = await begin_run(service, "schedule", f"schedule-{moment:%Y%m%dT%H%MZ}")
    except Busy as busy:
        _log.info("the run of %s is skipped: %s", f"{moment:%H:%M}", busy.message, extra={"run": busy.run_id})
    else:
        _log.info("the run of %s has begun", f"{moment:%H:%M}", extra={"run": run.id})
