"""`etl preview`: what a run would do, side by side."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl_service.cli.opening import database_option, file_argument, open_all, output_option, settings_for

if TYPE_CHECKING:
    from etl_service.runs import Preview


@click.command("preview", short_help="Show what a run would do, and load nothing.")
@file_argument
@click.option("-n", type=click.IntRange(0, 1000), default=3, show_default=True, help="How many records to show.")
@click.option("--full", is_flag=True, help="Read all records, so that the counts are of all of them.")
@output_option
@database_option
def command(file: Path | None, n: int, full: bool, output: str, database: Path | None) -> None:
    """Read the source of FILE (or of ETL_PIPELINE) and show its first records, before and after."""
    from etl_service import runs

    settings = settings_for(database)
    opened = open_all(file, settings)
    world = runs.World(base=opened.document.absolute().parent, secrets=settings.secrets, sources=settings.sources)
    found = asyncio.run(runs.preview(opened.pipeline, opened.store, world=world, n=n, full=full))
    if output == "json":
        click.echo(found.model_dump_json())
    elif sys.stdout.isatty():
        _show_side_by_side(found)
    else:
        _show_plainly(found)


def _show_side_by_side(preview: Preview) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("before", "after", box=box.SIMPLE_HEAD, show_lines=True, expand=True)
    for before, after in zip(preview.before, preview.after, strict=True):
        table.add_row(Text(_pretty(before)), Text(_after(after)))
    console = Console()
    console.print(table)
    console.print(Text(_counts(preview)))
    for line in _rejected(preview):
        console.print(Text(line))


def _show_plainly(preview: Preview) -> None:
    for before, after in zip(preview.before, preview.after, strict=True):
        click.echo(f"before  {json.dumps(before, ensure_ascii=False)}")
        click.echo(f"after   {_after(after, indent=None)}")
    for line in (_counts(preview), *_rejected(preview)):
        click.echo(line)


def _after(row: dict[str, Any] | None, indent: int | None = 2) -> str:
    return "no row: rejected, or left out" if row is None else _pretty(row, indent)


def _pretty(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)


def _counts(preview: Preview) -> str:
    from etl_service.cli.words import counts

    changes = "".join(f"\n  {change}" for change in preview.schema_changes)
    return f"A run would do this with the records read: {counts(preview.would)}{changes}"


def _rejected(preview: Preview) -> list[str]:
    places = [(each, f"{each.field}: " if each.field else "") for each in preview.rejected]
    return [f"  page {each.page}, record {each.index}: {field}{each.message} ({each.reason})" for each, field in places]
