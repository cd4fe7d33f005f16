"""What most commands begin with: the settings, the document, the store."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etl_service import logs
from etl_service.settings import LogLevel, Settings, read_settings

if TYPE_CHECKING:
    from etl_service.load.store import Store
    from etl_service.spec import EtlPipeline

_STDIN = Path("-")
_F = TypeVar("_F", bound=Callable[..., Any])

file_argument = click.argument("file", required=False, type=click.Path(path_type=Path))
file_option = click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    help="The pipeline's document; needed where a database holds several.",
)
database_option = click.option(
    "--database", type=click.Path(path_type=Path), help="The SQLite file. Default: ETL_DATABASE, or etl.db."
)
output_option = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to show it."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A document, and the store that it names."""

    settings: Settings
    document: Path
    pipeline: EtlPipeline
    store: Store


def settings_for(database: Path | None, *, level: LogLevel = "warning") -> Settings:
    """The environment's settings under what the command line says; from here on, logging is set up.

    Args:
        level: the log level where the environment names none.
    """
    settings = read_settings(os.environ)
    settings = replace(settings, database=database or settings.database, log_level=settings.log_level or level)
    logs.configure(settings.log_format, settings.log_level or level)
    return settings


def read_document(file: Path | None, settings: Settings) -> tuple[Path, EtlPipeline]:
    """The document that the command line or ETL_PIPELINE names; ``-`` is standard input.

    Raises:
        SpecInvalid: all that is wrong with it.
    """
    from etl_service.spec import load_pipeline, parse_pipeline

    document = file or settings.pipeline
    if document is None:
        raise click.UsageError("name the pipeline's document: FILE, or ETL_PIPELINE in the environment.")
    if document == _STDIN:
        return document, parse_pipeline(sys.stdin.read(), "standard input")
    return document, load_pipeline(document)


def open_all(file: Path | None, settings: Settings) -> Opened:
    """The document and its store, which is made where it is not there yet, and closed when the command ends."""
    return open_pipeline(*read_document(file, settings), settings)


def open_pipeline(document: Path, pipeline: EtlPipeline, settings: Settings) -> Opened:
    """The same of a document that has been read."""
    from etl_service.load import open_store
    from etl_service.spec import read_secret

    secrets = partial(read_secret, environ=os.environ, folder=settings.secrets, base=document.absolute().parent)
    store = open_store(pipeline.spec.load, settings.database, secrets)
    click.get_current_context().call_on_close(store.close)
    return Opened(settings, document, pipeline, store)


def open_history(file: Path | None, settings: Settings) -> tuple[Store, str]:
    """The store and the pipeline that are meant: the document's, or else the only one that the database knows."""
    from etl_service.load.sqlite.store import SqliteStore

    if file or settings.pipeline:
        opened = open_all(file, settings)
        return _looked_at(opened.store, opened.pipeline.full_name)
    if not settings.database.exists():
        raise click.UsageError(f"there is no database {settings.database}; name it with --database, or ETL_DATABASE.")
    store = SqliteStore(settings.database)
    click.get_current_context().call_on_close(store.close)
    store.prepare()
    known = store.pipelines()
    if len(known) != 1:
        there = f"holds {', '.join(known)}" if known else "holds no pipeline yet"
        raise click.UsageError(f"{settings.database} {there}; name the document of the one that is meant with --file.")
    return _looked_at(store, known[0])


def _looked_at(store: Store, pipeline: str) -> tuple[Store, str]:
    """Whoever looks ends the run whose process was lost, so that nobody is shown one that runs for ever."""
    from etl_service.errors import LoadError
    from etl_service.runs import World, end_dead

    with suppress(LoadError):  # where nothing can be written, the record stays as it is
        end_dead(store, pipeline, World().clock())
    return store, pipeline
