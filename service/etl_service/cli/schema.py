"""`etl schema`: what a document may say, for editors and other programs."""

from __future__ import annotations

import json

import click


@click.command("schema", short_help="Print the JSON Schema of a document.")
def command() -> None:
    """Print the JSON Schema of a pipeline document."""
    from etl_service.spec import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
