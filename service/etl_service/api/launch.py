"""Runs that the service begins: each a process of its own, so that its memory and its work are not the service's.

A child says on the first line of its standard output whether it began, and logs to the service's own stderr.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from etl_service.errors import EtlError
from etl_service.load.errors import Busy
from etl_service.model import Run
from etl_service.settings import Settings
from etl_service.spec import EtlPipeline, public_document

#: A child that has said nothing for so long, in seconds, has been lost; most take less than one.
_PATIENCE = 60
#: How long a child may take to end its run once asked, before it is killed.
_LAST_WORDS = timedelta(seconds=10)

_log = logging.getLogger(__name__)


class LaunchFailed(EtlError):
    """The process that was to make a run did not come to life."""

    reason = "LaunchFailed"


class Stopping(EtlError):
    """The service is on its way down."""

    reason = "Stopping"


class Refusal(BaseModel):
    """Why a run did not begin."""

    reason: str
    message: str
    field: str | None = None
    run_id: str | None = None  #: of the run that is in the way


class Announcement(BaseModel):
    """What a child says: the run that it began, or why it did not. Where it has ended, what the table then held."""

    run: Run | None = None
    refusal: Refusal | None = None
    rows: int | None = None


class Launcher:
    def __init__(self, base: Path, settings: Settings) -> None:
        """``base`` is the document's folder, from which its relative paths start."""
        self._base = base
        self._settings = settings
        self._children: set[Process] = set()
        self._reapers: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def launch(self, pipeline: EtlPipeline, command: str, *options: str) -> Run:
        """Begin ``etl <command>``, and give its record as soon as it is kept.

        It gets the document as the service read it: what is previewed is what is run, whatever became of the file.

        Raises:
            Busy, or what else kept the run from beginning: the child's own reason.
            LaunchFailed: the child ended without saying why; its log has more.
        """
        if self._stopped:
            raise Stopping("the service is stopping; ask again when it is back")
        process = await self._start([command, "-", *options], json.dumps(public_document(pipeline)).encode())
        announced = await self._first_line(process)
        if announced.run is not None:
            return announced.run
        assert announced.refusal is not None
        raise _error(pipeline.full_name, announced.refusal)

    async def stop(self) -> None:
        """Ask all children to end their runs, wait for them, and kill who does not in time."""
        self._stopped = True
        for child in self._children:
            with suppress(ProcessLookupError):
                child.terminate()
        if self._reapers:
            await asyncio.wait(self._reapers, timeout=_LAST_WORDS.total_seconds())
        for child in self._children:
            with suppress(ProcessLookupError):
                child.kill()
        if self._reapers:
            await asyncio.wait(self._reapers)

    async def _start(self, arguments: Sequence[str], given: bytes) -> Process:
        database = str(self._settings.database.absolute())
        command = [sys.executable, "-m", "etl_service", *arguments, "--database", database, "--announce"]
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=self._base)
        except OSError as error:
            raise LaunchFailed(f"a process for the run could not be started: {error.strerror}") from error
        self._children.add(process)
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        reaper = asyncio.create_task(self._reap(process))
        self._reapers.add(reaper)
        reaper.add_done_callback(self._reapers.discard)
        return process

    async def _reap(self, process: Process) -> None:
        code = await process.wait()
        self._children.discard(process)
        _log.debug("the run's process %s ended with code %s", process.pid, code)

    async def _first_line(self, process: Process) -> Announcement:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE)
            return Announcement.model_validate_json(line)
        except ValueError as error:  # not a line of ours, or none
            code = await process.wait()
            raise LaunchFailed(
                f"the run's process ended with code {code} before it began; the log says more"
            ) from error
        except TimeoutError as error:
            process.kill()
            raise LaunchFailed(f"the run's process had not begun after {_PATIENCE} s, and was ended") from error


def _error(pipeline: str, refusal: Refusal) -> EtlError:
    """What the child told, as what this process can raise."""
    if refusal.reason == Busy.reason and refusal.run_id:
        return Busy(pipeline, refusal.run_id)
    told = type(refusal.reason, (EtlError,), {"reason": refusal.reason})
    error: EtlError = told(refusal.message, field=refusal.field)
    return error
