"""`etl move`: a pipeline's table and history, from SQLite to PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import click

from etl_service.cli.opening import database_option, file_argument, open_all, settings_for


@click.command("move", short_help="Move a pipeline from SQLite to PostgreSQL.")
@file_argument
@database_option
def command(file: Path | None, database: Path | None) -> None:
    """Copy all there is of the pipeline of FILE from the SQLite file into the PostgreSQL that FILE names.

    Its table, its runs, what they rejected, its cursor and its totals are written in one transaction, which is
    committed once both sides have been read and found to be the same. The SQLite file stays as it is.
    """
    from etl_service.load.moving import move
    from etl_service.load.postgres.store import PostgresStore
    from etl_service.load.sqlite.store import SqliteStore
    from etl_service.runs import World, end_dead

    settings = settings_for(database)
    if not settings.database.exists():
        raise click.UsageError(f"there is no database {settings.database}; name it with --database, or ETL_DATABASE.")
    opened = open_all(file, settings)
    if not isinstance(opened.store, PostgresStore):
        raise click.UsageError(f"{opened.document} does not say where to: set load.postgres in it.")
    source, name = SqliteStore(settings.database), opened.pipeline.full_name
    click.get_current_context().call_on_close(source.close)
    source.prepare()
    for store in (source, opened.store):
        end_dead(store, name, World().clock())
    moved = move(name, source, opened.store)
    for part, digest in moved.items():
        click.echo(f"{part:<20} {digest.count:>12,}  {digest.sha256[:16]}")
    click.echo(f"Both hold the same. {settings.database} is as it was; remove it once nobody reads it.")
