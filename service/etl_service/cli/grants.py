"""`etl grants`: what a pipeline's user needs in PostgreSQL, as SQL."""

from __future__ import annotations

import os
from pathlib import Path

import click

from etl_service.cli.opening import file_argument, read_document
from etl_service.settings import read_settings


@click.command("grants", short_help="Print the SQL that gives a PostgreSQL user what it needs.")
@file_argument
@click.option("--role", required=True, help="The user that load.postgres.dsn names; it must be there.")
@click.option("--reader", metavar="ROLE", help="Another that may read all tables of the schema, and no more.")
def command(file: Path | None, role: str, reader: str | None) -> None:
    """Print the SQL that gives ROLE what the pipeline of FILE (or of ETL_PIPELINE) needs, for the database's owner.

    \b
      etl grants posts.yaml --role etl | psql -v ON_ERROR_STOP=1 "$OWNER_DSN"

    What a reader may read are the schema's tables: those of all pipelines in it, and the engine's own, in which
    rejected records are as they came.
    """
    from etl_service.load.postgres.grants import grants

    _, pipeline = read_document(file, read_settings(os.environ))
    postgres = pipeline.spec.load.postgres
    click.echo(grants(postgres.schema_ if postgres else "public", role, reader), nl=False)
