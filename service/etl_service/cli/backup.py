"""`etl backup`: a copy of the database in which no run is half there."""

from __future__ import annotations

from pathlib import Path

import click

from etl_service.cli.opening import database_option, file_option, open_history, settings_for


@click.command("backup", short_help="Copy the database, also while a run is on.")
@click.argument("destination", type=click.Path(path_type=Path))
@file_option
@database_option
def command(destination: Path, file: Path | None, database: Path | None) -> None:
    """Copy the database to DESTINATION, which must not exist: consistent, also while a run is on.

    To restore, stop what uses the database, and put the copy in its place (without the -wal and -shm beside it).
    """
    from etl_service.cli.words import size

    store, _ = open_history(file, settings_for(database))
    store.backup(destination)
    click.echo(f"{destination}: {size(destination.stat().st_size)}")
