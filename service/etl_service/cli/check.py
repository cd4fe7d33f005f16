"""`etl check`: all that is wrong with a document."""

from __future__ import annotations

import os
from pathlib import Path

import click

from etl_service.cli.opening import file_argument, read_document
from etl_service.settings import read_settings


@click.command("check", short_help="Say all that is wrong with a document.")
@file_argument
def command(file: Path | None) -> None:
    """Read FILE (or ETL_PIPELINE) and say all that is wrong with it: each with its line, its path and a remedy.

    Exits with 2 where something is.
    """
    document, pipeline = read_document(file, read_settings(os.environ))
    click.echo(f"{document}: pipeline {pipeline.metadata.name} can be run")
