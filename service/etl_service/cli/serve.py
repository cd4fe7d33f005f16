"""`etl serve`: the pipeline's rows, runs and previews over REST, and its schedule kept."""

from __future__ import annotations

import logging
import signal
from dataclasses import replace
from pathlib import Path

import click

from etl_service.cli.opening import database_option, file_argument, open_all, settings_for

_log = logging.getLogger(__name__)


@click.command("serve", short_help="Serve rows, runs and previews over REST.")
@file_argument
@click.option("--host", help="Address to listen on. Default: ETL_HOST, or 127.0.0.1: this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any. Default: ETL_PORT, or 8000.")
@database_option
def command(file: Path | None, host: str | None, port: int | None, database: Path | None) -> None:
    """Serve the pipeline of FILE (or of ETL_PIPELINE) until SIGTERM or Ctrl-C, which interrupts its runs.

    While it serves, the document's schedule is kept, and a run whose process was lost is ended within a second.
    Whether the document suspends the pipeline is followed; what else changes in it wants the service started again.

    \b
    Environment:
      ETL_HOST, ETL_PORT   where to listen
      ETL_API_TOKEN        what a client must send to change anything; or ETL_API_TOKEN_FILE
      ETL_API_PROTECT      writes, or reads too
      ETL_ALLOWED_HOSTS    names by which the service may be asked to change something, with commas between
      ETL_CHANGES_PER_MINUTE  how many changes may be asked for, whatever comes of them: 120; 0 sets no limit
      ETL_LOG_FORMAT       console or json
      ETL_LOG_LEVEL        debug shows every request, info those that change something or fail
    """
    from etl_service.api.app import create_app
    from etl_service.api.server import listen, serve
    from etl_service.runs import World

    settings = settings_for(database, level="info")
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    opened = open_all(file, settings)
    listener = listen(settings.host, settings.port)
    world = World(base=opened.document.absolute().parent, secrets=settings.secrets, sources=settings.sources)
    app = create_app(opened.pipeline, opened.document, opened.store, settings, world)
    address, port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    serving = f"Serving {opened.pipeline.metadata.name} at http://{shown}:{port} (its API at /docs)"
    if settings.log_format == "json":
        _log.info(serving, extra={"pipeline": opened.pipeline.full_name})
    else:
        click.echo(serving, err=True)
    # The server hands the signal that ended it on: having been asked to end is no failure.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)
    serve(app, listener)
