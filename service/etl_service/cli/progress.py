"""A run's progress: a bar on a terminal, plain lines elsewhere, log lines where a machine reads."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Protocol

import click

from etl_service.cli import words
from etl_service.model import Run
from etl_service.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

#: Most runs are over before a bar is worth its import.
_BAR_AFTER = 0.5
_LINE_EVERY = 5.0

_log = logging.getLogger(__name__)


class Progress(Protocol):
    def begin(self, run: Run) -> None: ...

    def update(self, run: Run) -> None: ...

    def close(self) -> None:
        """Draw no more, however it went."""
        ...

    def end(self, run: Run) -> None:
        """The run has ended, with this record."""
        ...


def progress_for(settings: Settings, *, quiet: bool) -> Progress:
    """What suits who looks on.

    Args:
        quiet: nobody does but the log.
    """
    if quiet or settings.log_format == "json":
        return _Logged()
    return _Bar() if sys.stderr.isatty() else _Lines()


class Quiet:
    """Nobody looks on."""

    def begin(self, run: Run) -> None:
        pass

    def update(self, run: Run) -> None:
        pass

    def close(self) -> None:
        pass

    def end(self, run: Run) -> None:
        pass


class _Logged(Quiet):
    def begin(self, run: Run) -> None:
        _log.info("begun", extra={"pipeline": run.pipeline, "trigger": run.trigger, "attempt": run.attempt})

    def end(self, run: Run) -> None:
        level = logging.INFO if run.status == "succeeded" else logging.WARNING
        fields = {
            "status": run.status,
            "reason": run.reason,
            "seconds": words.seconds_of(run),
            **run.counts.model_dump(),
        }
        _log.log(level, "%s: %s", run.status, run.message or words.counts(run.counts), extra=fields)


class _Lines:
    def __init__(self) -> None:
        self._began = self._said = time.monotonic()

    def begin(self, run: Run) -> None:
        self._began = self._said = time.monotonic()

    def update(self, run: Run) -> None:
        now = time.monotonic()
        if now - self._said >= _LINE_EVERY:
            self._said = now
            click.echo(f"{words.progress(run)}, {words.duration(now - self._began)}", err=True)

    def close(self) -> None:
        pass

    def end(self, run: Run) -> None:
        pass


class _Bar:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def begin(self, run: Run) -> None:
        self._began = time.monotonic()

    def update(self, run: Run) -> None:
        if self._bar is None or self._task is None:
            if time.monotonic() - self._began < _BAR_AFTER:
                return
            self._bar, self._task = _drawn()
        total = run.total if run.phase == "extract" else None
        self._bar.update(self._task, completed=run.counts.fetched, total=total, description=words.progress(run))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def end(self, run: Run) -> None:
        pass


def _drawn() -> tuple[RichProgress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    bar.start()
    return bar, bar.add_task("", total=None)
