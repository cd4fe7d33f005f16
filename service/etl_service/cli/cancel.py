"""`etl cancel`: end a run under way."""

from __future__ import annotations

from pathlib import Path

import click

from etl_service.cli.opening import database_option, file_option, open_history, settings_for


@click.command("cancel", short_help="End a run under way, with nothing loaded.")
@click.argument("run_id", metavar="[RUN]", required=False)
@file_option
@database_option
def command(run_id: str | None, file: Path | None, database: Path | None) -> None:
    """Ask RUN, or whichever is under way, to end as cancelled: whoever made it, and in whichever process."""
    from etl_service.cli.runs import find
    from etl_service.runs.errors import NotRunning

    store, pipeline = open_history(file, settings_for(database))
    run = find(store, pipeline, run_id) if run_id else store.running(pipeline)
    if run is None:
        return click.echo("No run is under way.", err=True)
    if not store.cancel(run.id):
        raise NotRunning(run.id, run.status)
    click.echo(f"run {run.id} was asked to end")
