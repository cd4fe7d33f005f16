"""`etl work`: one partition of a run, from its first page to its last, or to the merge of them all."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_service.cli.opening import Opened, database_option, file_argument, open_all, settings_for

if TYPE_CHECKING:
    from etl_service.cli.running import Listener
    from etl_service.model import Run, Trigger
    from etl_service.runs import World

#: How long a worker may take to end once asked, in seconds, before it is killed.
_LAST_WORDS = 10

_log = logging.getLogger(__name__)


@click.command("work", short_help="Work on one partition of a run, as a pod of its Job.")
@file_argument
@click.option("--partition", "index", type=click.IntRange(min=0), required=True, metavar="INDEX", help="Which one.")
@click.option(
    "--request-id",
    metavar="ID",
    help="The request whose run it is: the worker of partition 0 begins the run, and the others wait for that.",
)
@click.option("--run", "run_id", metavar="RUN", help="The run, where it has begun.")
@click.option(
    "--trigger", type=click.Choice(["request", "schedule"]), default="request", show_default=True, help="Who asks."
)
@click.option(
    "--failures", type=click.IntRange(min=0), default=0, metavar="COUNT", help="How often it has failed before."
)
@click.option("--parent", type=int, hidden=True, help="A process without which this one is not to go on.")
@database_option
def command(
    file: Path | None,
    index: int,
    request_id: str | None,
    run_id: str | None,
    trigger: Trigger,
    failures: int,
    parent: int | None,
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
    from etl_service import logs, runs
    from etl_service.api.launch import Announcement
    from etl_service.cli.failure import BUSY, FAILED, show, show_failure
    from etl_service.cli.progress import Quiet
    from etl_service.cli.running import announcing, supervised
    from etl_service.cli.runs import find
    from etl_service.cli.termination import leave, rows_of
    from etl_service.runs.errors import Suspended
    from etl_service.spec import shares

    with announcing(False) as announcer:
        settings = settings_for(database, level="warning" if parent else "info")
        announcer.log = settings.termination_log
        opened = open_all(file, settings)
        pipeline, store = opened.pipeline, opened.store
        if index >= (count := len(shares(pipeline.spec.extract))):
            raise click.UsageError(f"--partition is {index}, and the document has {count} of them, from 0.")
        if (request_id is None) == (run_id is None):
            raise click.UsageError("name the run: with --request-id, or with --run.")

        async def start(world: World, on_begin: Listener, on_progress: Listener) -> Run:
            if run_id is not None:
                run = find(store, pipeline.full_name, run_id)
            else:
                patience = pipeline.spec.run.deadline if trigger == "request" else timedelta()
                run = await runs.begin_or_join(
                    pipeline, store, index, request_id=str(request_id), trigger=trigger, world=world, patience=patience
                )
            if run.ended:
                return run
            return await runs.work(
                pipeline,
                store,
                run,
                index,
                last=failures >= pipeline.spec.run.backoff_limit,
                world=world,
                on_begin=on_begin,
                on_progress=on_progress,
            )

        logs.bind(partition=index)
        progress = Quiet()
        try:
            run, began = asyncio.run(supervised(opened, announcer, progress, start, parent=parent))
        except Suspended as error:
            announcer.refuse(error)
            show(error)
            sys.exit(BUSY)
        own = (run.partitions or [])[index]
        if settings.termination_log:
            rows = rows_of(store, pipeline.spec.load.table) if run.ended else None
            said = Announcement(run=run.model_copy(update={"partitions": [own]}), rows=rows)
            leave(settings.termination_log, said)
        if run.status == "succeeded" or (own.status == "succeeded" and not run.ended):
            _log.info("%s: %d records, %d pages", own.name, own.fetched, own.pages)
        elif began or run.status != "cancelled":
            reason, message = (run.reason, run.message) if run.ended else (own.reason, own.message)
            show_failure(reason or own.status, f"partition {index}: {message or own.status}", None)
            sys.exit(FAILED)


async def start_worker(opened: Opened, run: Run, index: int, failures: int) -> int:
    """Start a process for a partition and wait for its end; cancelled, it is told to end, and killed if it does not."""
    from etl_service.spec import public_document

    options = {"--run": run.id, "--partition": index, "--failures": failures, "--parent": os.getpid()}
    arguments = [str(argument) for option in options.items() for argument in option]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "etl_service", "work", "-", *arguments),
        stdin=PIPE,
        cwd=opened.document.absolute().parent,
        start_new_session=True,  # Ctrl-C is for this process, which tells it
    )
    try:
        await process.communicate(json.dumps(public_document(opened.pipeline)).encode())
        return await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _LAST_WORDS)
            except TimeoutError:
                process.kill()
                await process.wait()
