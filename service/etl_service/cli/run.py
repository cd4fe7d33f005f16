"""`etl run`: one run, from here to its end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_service.cli.opening import database_option, file_argument, open_all, output_option, settings_for

if TYPE_CHECKING:
    from etl_service.cli.running import Listener
    from etl_service.model import Run, Trigger
    from etl_service.runs import World


@click.command("run", short_help="Run the pipeline once.")
@file_argument
@click.option(
    "--trigger",
    type=click.Choice(["cli", "request", "schedule", "rest"]),
    default="cli",
    show_default=True,
    help="Who asks. A request waits for a run under way, within its deadline; a scheduled run is skipped then.",
)
@click.option(
    "--request-id",
    metavar="ID",
    help="One id makes one run: one that has ended loads nothing, one that failed is tried again.",
)
@click.option(
    "--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="How long to wait for a run under way to end."
)
@output_option
@database_option
@click.option("--announce", is_flag=True, hidden=True, help="Say on the first line of stdout, as JSON, how it began.")
def command(
    file: Path | None,
    trigger: Trigger,
    request_id: str | None,
    wait: float | None,
    output: str,
    database: Path | None,
    announce: bool,
) -> None:
    """Run the pipeline of FILE (or of ETL_PIPELINE) once, and show what it did.

    Ctrl-C cancels the run: it ends as cancelled, with nothing loaded. A second one ends it at once.

    A suspended pipeline is run by hand alone: with another trigger, nothing is done, and the exit code is 0.

    \b
    Exit codes:
      0  the run succeeded, had ended before, or was skipped
      1  it failed, was cancelled or interrupted; its record says why
      2  the document, the command line or the environment is wrong
      3  another run of the pipeline is under way
    """
    from etl_service import runs
    from etl_service.cli.hands import Hands
    from etl_service.cli.running import announcing, carry_out
    from etl_service.load.errors import Busy
    from etl_service.runs.errors import Suspended

    with announcing(announce) as announcer:
        settings = settings_for(database, level="warning" if trigger == "cli" else "info")
        announcer.log = settings.termination_log
        opened = open_all(file, settings)
        spec = opened.pipeline.spec
        if spec.suspend and trigger != "cli":
            raise Suspended(opened.pipeline.metadata.name)
        patience = (
            timedelta(seconds=wait) if wait is not None else spec.run.deadline if trigger == "request" else timedelta()
        )

        async def start(world: World, on_begin: Listener, on_progress: Listener) -> Run:
            async with Hands(opened) as hands:
                return await runs.run(
                    opened.pipeline,
                    opened.store,
                    trigger=trigger,
                    request_id=request_id,
                    world=world,
                    patience=patience,
                    on_begin=on_begin,
                    on_progress=on_progress,
                    start_worker=hands,
                )

        try:
            carry_out(opened, announcer, output, start)
        except Busy as busy:
            if trigger != "schedule":
                raise
            announcer.refuse(busy)
            click.echo(f"skipped: {busy.message}", err=True)
