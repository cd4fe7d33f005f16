"""`etl rejects`: records that did not fit, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_service.cli.opening import database_option, file_option, open_history, output_option, settings_for
from etl_service.cli.runs import find

if TYPE_CHECKING:
    from etl_service.load.store import StoredReject

#: Of a record that is shown to eyes.
_WIDTH = 200


@click.command("rejects", short_help="List rejected records, and why they were.")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("-n", "--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most.")
@output_option
@file_option
@database_option
def command(run_id: str | None, limit: int, output: str, file: Path | None, database: Path | None) -> None:
    """List the records that did not fit: of RUN, or of all runs. `etl replay` loads them once the mapping is mended."""
    store, pipeline = open_history(file, settings_for(database))
    if run_id:
        find(store, pipeline, run_id)
    found = store.rejects(pipeline, run_id=run_id, limit=limit)
    if output == "json":
        return click.echo(json.dumps([asdict(reject) for reject in found]))
    for reject in found:
        click.echo(_lines(reject))
    if not found:
        click.echo("No rejected records.", err=True)


def _lines(reject: StoredReject) -> str:
    raw = " ".join(reject.raw.split())
    shown = raw if len(raw) <= _WIDTH else f"{raw[:_WIDTH]}…"
    field = f"{reject.field}: " if reject.field else ""
    return (
        f"{field}{reject.message} ({reject.reason})\n"
        f"  {reject.url}, record {reject.index}, in run {reject.run_id}\n"
        f"  {shown}"
    )
