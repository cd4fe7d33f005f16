"""What a run needs of the command line: signals that end it, progress, its outcome, and an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from etl_service import logs
from etl_service.api.launch import Announcement, Refusal
from etl_service.cli import words
from etl_service.cli.failure import FAILED, show_failure
from etl_service.cli.opening import Opened
from etl_service.cli.progress import Progress, progress_for
from etl_service.cli.termination import leave, rows_of
from etl_service.errors import EtlError
from etl_service.load.errors import Busy
from etl_service.model import Run
from etl_service.runs import Stop, World

Listener = Callable[[Run], None]
Start = Callable[[World, Listener, Listener], Awaitable[Run]]

#: A run that the service began gives way to its readers.
_NICENESS = 10


def carry_out(opened: Opened, announcer: Announcer, output: str, start: Start) -> None:
    """Run to the end and show what it did; exits with 1 where it did not succeed.

    Raises:
        EtlError: it did not begin.
    """
    progress = progress_for(opened.settings, quiet=announcer.enabled)
    run, began = asyncio.run(supervised(opened, announcer, progress, start))
    if log := opened.settings.termination_log:
        leave(log, Announcement(run=run, rows=rows_of(opened.store, opened.pipeline.spec.load.table)))
    if not began:
        announcer.begun(run)
        click.echo(
            f"request {run.request_id} has had its run: {run.id}, which {run.status}; nothing was loaded", err=True
        )
    if output == "json":
        if not announcer.enabled:
            click.echo(run.model_dump_json())
    elif began and not announcer.enabled:
        _show(run)
    if began and run.status != "succeeded":
        sys.exit(FAILED)


class Announcer:
    """Tells who started this process, once, how the run began."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.log: Path | None = None  #: where a refusal is left, too
        self._said = not enabled

    def begun(self, run: Run) -> None:
        self._say(Announcement(run=run))

    def refuse(self, error: EtlError) -> None:
        run_id = error.run_id if isinstance(error, Busy) else None
        refusal = Refusal(reason=error.reason, message=error.message, field=error.field, run_id=run_id)
        self._say(Announcement(refusal=refusal))
        if self.log:
            leave(self.log, Announcement(refusal=refusal))

    def _say(self, announcement: Announcement) -> None:
        if not self._said:
            self._said = True
            click.echo(announcement.model_dump_json(exclude_none=True))


@contextmanager
def announcing(enabled: bool) -> Iterator[Announcer]:
    """Whatever keeps a run from beginning inside is announced too."""
    announcer = Announcer(enabled)
    if enabled:
        os.nice(_NICENESS)
    try:
        yield announcer
    except EtlError as error:
        announcer.refuse(error)
        raise


async def supervised(
    opened: Opened, announcer: Announcer, progress: Progress, start: Start, *, parent: int | None = None
) -> tuple[Run, bool]:
    """The run's record, and whether it was begun here.

    Args:
        parent: a process without which this one is not to go on.
    """
    stop = Stop()
    begun: list[Run] = []

    def on_begin(run: Run) -> None:
        begun.append(run)
        logs.bind(run=run.id)
        announcer.begun(run)
        progress.begin(run)

    world = World(
        base=opened.document.absolute().parent,
        secrets=opened.settings.secrets,
        sources=opened.settings.sources,
        stop=stop,
    )
    task = asyncio.ensure_future(start(world, on_begin, progress.update))
    orphaned = asyncio.ensure_future(_orphaned(parent, stop)) if parent else None
    with _signals(stop, on_first=lambda: None if begun else task.cancel()):
        try:
            run = await task
        except asyncio.CancelledError:
            click.echo("ended before it began; nothing was changed", err=True)
            sys.exit(FAILED)
        finally:
            progress.close()
            if orphaned:
                orphaned.cancel()
    if begun:
        progress.end(run)
    return run, bool(begun)


async def _orphaned(parent: int, stop: Stop) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(1)
    stop.request("interrupted", "Terminated", "the process that started it is gone; nothing was changed")


@contextmanager
def _signals(stop: Stop, on_first: Callable[[], object]) -> Iterator[None]:
    """SIGINT cancels, SIGTERM and SIGHUP interrupt, and a second SIGINT ends the process where it stands."""

    def interrupted() -> None:
        if stop.requested():
            os._exit(130)  # PID 1 of a container does not die of a signal's default action
        stop.request("cancelled", "Cancelled", "cancelled from the keyboard; nothing was changed")
        on_first()

    def terminated() -> None:
        stop.request("interrupted", "Terminated", "its process was told to end; nothing was changed")
        on_first()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, terminated)
    loop.add_signal_handler(signal.SIGHUP, terminated)  # its terminal was closed
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


def _show(run: Run) -> None:
    click.echo(words.outcome(run))
    for change in run.schema_changes:
        click.echo(f"  {change}")
    if run.status != "succeeded":
        show_failure(run.reason or run.status, run.message or run.status, f"etl runs {run.id}")
