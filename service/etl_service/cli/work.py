"""`etl work`: one partition of a run, from its first page to its last, or to the merge of them all."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_service.cli.opening import Opened, database_option, file_argument, open_all, settings_for

if TYPE_CHECKING:
    from etl_service.cli.running import Listener
    from etl_service.model import Run, Trigger
    from etl_service.runs import World

_log = logging.getLogger(__name__)


@click.command("work", short_help="Work on one partition of a run, as a pod of its Job.")
@file_argument
@click.option("--partition", "index", type=click.IntRange(min=0), required=True, metavar="INDEX", help="Which one.")
@click.option(
    "--request-id",
    metavar="ID",
    required=True,
    help="The request whose run it is: the worker of partition 0 begins the run, and the others wait for that.",
)
@click.option(
    "--trigger", type=click.Choice(["request", "schedule"]), default="request", show_default=True, help="Who asks."
)
@click.option(
    "--failures", type=click.IntRange(min=0), default=0, metavar="COUNT", help="How often it has failed before."
)
@database_option
def command(
    file: Path | None,
    index: int,
    request_id: str,
    trigger: Trigger,
    failures: int,
    database: Path | None,
) -> None:
    """Work on one partition of a run of FILE (or of ETL_PIPELINE), whose extract.partitions divide it.

    For who starts the workers himself, as the operator's Jobs do; `etl run` starts all of them. The last one to
    complete its partition merges what all have staged.

    \b
    Exit codes:
      0  the partition is complete, or the run had ended well before
      1  it failed; where it had failed run.backoffLimit times before, the run ends as failed
      2  the document, the command line or the environment is wrong
      3  the run cannot begin: another run is under way, or the pipeline is suspended
    """
    from etl_service import runs
    from etl_service.api.launch import Announcement
    from etl_service.cli.failure import BUSY, FAILED, show
    from etl_service.cli.running import announcing
    from etl_service.cli.termination import leave, rows_of
    from etl_service.runs.errors import Suspended
    from etl_service.spec import shares

    with announcing(False) as announcer:
        settings = settings_for(database, level="info")
        announcer.log = settings.termination_log
        opened = open_all(file, settings)
        pipeline, store = opened.pipeline, opened.store
        if index >= (count := len(shares(pipeline.spec.extract))):
            raise click.UsageError(f"--partition is {index}, and the document has {count} of them, from 0.")
        patience = pipeline.spec.run.deadline if trigger == "request" else timedelta()

        async def find(world: World) -> Run:
            return await runs.begin_or_join(
                pipeline, store, index, request_id=request_id, trigger=trigger, world=world, patience=patience
            )

        try:
            run, is_well = work_on(opened, find, index, failures)
        except Suspended as error:
            announcer.refuse(error)
            show(error)
            sys.exit(BUSY)
        if log := settings.termination_log:
            rows = rows_of(store, pipeline.spec.load.table) if run.ended else None
            own = (run.partitions or [])[index : index + 1]
            leave(log, Announcement(run=run.model_copy(update={"partitions": own}), rows=rows))
        if not is_well:
            sys.exit(FAILED)


def work_on(
    opened: Opened,
    find: Callable[[World], Awaitable[Run]],
    index: int,
    failures: int,
    *,
    parent: int | None = None,
) -> tuple[Run, bool]:
    """Work on a partition of the run that ``find`` gives; what came of that is said on stderr.

    Args:
        failures: how often it has failed before.
        parent: a process without which this one is not to go on.

    Returns:
        the run's record, and whether the partition needs no further attempt.
    """
    from etl_service import logs, runs
    from etl_service.cli.failure import show_failure
    from etl_service.cli.progress import Quiet
    from etl_service.cli.running import Announcer, supervised

    async def start(world: World, on_begin: Listener, on_progress: Listener) -> Run:
        run = await find(world)
        if run.ended:
            return run
        last = failures >= opened.pipeline.spec.run.backoff_limit
        return await runs.work(
            opened.pipeline,
            opened.store,
            run,
            index,
            last=last,
            world=world,
            on_begin=on_begin,
            on_progress=on_progress,
        )

    logs.bind(partition=index)
    run, began = asyncio.run(supervised(opened, Announcer(enabled=False), Quiet(), start, parent=parent))
    own = (run.partitions or [])[index]
    if run.status == "succeeded" or (own.status == "succeeded" and not run.ended):
        _log.info("%s: %d records, %d pages", own.name, own.fetched, own.pages)
        return run, True
    if not began and run.status == "cancelled":
        return run, True
    if not run.ended:
        show_failure(own.reason or own.status, f"partition {index}: {own.message or own.status}", None)
    elif parent is None:  # who else tells it
        show_failure(run.reason or run.status, run.message or run.status, f"etl runs {run.id}")
    return run, False
