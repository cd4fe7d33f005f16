"""`etl replay`: rejected records once more, under today's mapping."""

from __future__ import annotations

from pathlib import Path

import click

from etl_service.cli.opening import database_option, file_argument, open_all, output_option, settings_for


@click.command("replay", short_help="Load rejected records again, under today's mapping.")
@file_argument
@click.option("--run", "run_id", metavar="ID", help="Only what this run rejected.")
@output_option
@database_option
@click.option("--announce", is_flag=True, hidden=True, help="Say on the first line of stdout, as JSON, how it began.")
def command(file: Path | None, run_id: str | None, output: str, database: Path | None, announce: bool) -> None:
    """Take the records that did not fit through the mapping of FILE (or of ETL_PIPELINE) as it is today.

    What fits now is loaded, and no longer rejected. A row that was loaded since its record was fetched stays as it is.
    Exit codes are those of `etl run`.
    """
    from etl_service import runs
    from etl_service.cli.running import announcing, carry_out

    with announcing(announce) as announcer:
        opened = open_all(file, settings_for(database, level="info" if announce else "warning"))
        carry_out(
            opened,
            announcer,
            output,
            lambda world, on_begin, on_progress: runs.replay(
                opened.pipeline, opened.store, run_id=run_id, world=world, on_begin=on_begin, on_progress=on_progress
            ),
        )
