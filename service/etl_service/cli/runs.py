"""`etl runs`: what has run, and how it went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl_service.cli.opening import database_option, file_option, open_history, output_option, settings_for

if TYPE_CHECKING:
    from etl_service.load.store import Store
    from etl_service.model import Run, Status


@click.command("runs", short_help="List runs, or show one.")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option(
    "--status",
    type=click.Choice(["running", "succeeded", "failed", "interrupted", "cancelled"]),
    help="Only runs of this status.",
)
@output_option
@file_option
@database_option
def command(
    run_id: str | None, limit: int, status: Status | None, output: str, file: Path | None, database: Path | None
) -> None:
    """List runs, newest first, or show the record of RUN; also while a run is on."""
    store, pipeline = open_history(file, settings_for(database))
    if run_id:
        return _show(find(store, pipeline, run_id), output)
    found = store.runs(pipeline, limit=limit, status=status)
    if output == "json":
        return click.echo(json.dumps([run.model_dump() for run in found]))
    for run in found:
        click.echo(f"{run.id}  {run.started_at[:19]}Z  {run.trigger:<8}  {run.status:<11}  {_summary(run)}")
    if not found:
        click.echo("No runs yet: `etl run` makes one.", err=True)


def find(store: Store, pipeline: str, run_id: str) -> Run:
    """The pipeline's run of that id.

    Raises:
        RunNotFound: there is none.
    """
    run = store.run(run_id)
    if run is None or f"{run.namespace}/{run.pipeline}" != pipeline:
        from etl_service.runs.errors import RunNotFound

        raise RunNotFound(run_id)
    return run


def _show(run: Run, output: str) -> None:
    if output == "json":
        return click.echo(run.model_dump_json())
    for name, value in run.model_dump(exclude={"partitions"}).items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {number:,}" for key, number in value.items() if number) or None
        if value not in (None, "", []):
            click.echo(f"{name:<15} {', '.join(value) if isinstance(value, list) else value}")
    if run.partitions:
        from etl_service.cli import words

        click.echo(f"{'partitions':<15} {words.partitions(run.partitions)}")
        for one in run.partitions:
            click.echo(words.partition(one))


def _summary(run: Run) -> str:
    from etl_service.cli import words

    if run.status == "running":
        return words.progress(run)
    return words.outcome(run) if run.status == "succeeded" else f"{run.reason}: {run.message}"
