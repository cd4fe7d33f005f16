"""Errors in words: what happened, where, and what to do."""

from __future__ import annotations

import logging

import click

from etl_service.errors import EtlError, SpecError
from etl_service.load.errors import Busy
from etl_service.runs.errors import Suspended
from etl_service.settings import SettingsInvalid
from etl_service.spec import SpecInvalid

FINE, FAILED, WRONG, BUSY = 0, 1, 2, 3


def exit_code(error: EtlError) -> int:
    if isinstance(error, Busy):
        return BUSY
    if isinstance(error, Suspended):  # nothing was to be done, and nothing was
        return FINE
    return WRONG if isinstance(error, (SpecError, SettingsInvalid)) else FAILED


def show(error: EtlError) -> None:
    """Three lines on stderr; a document has as many as there are things wrong with it."""
    if isinstance(error, SpecInvalid):
        return click.echo(error.message, err=True)
    show_failure(error.reason, error.message, error.field)


def show_failure(reason: str, message: str, where: str | None) -> None:
    """A message reads "what happened; what to do", save where there is nothing to do."""
    what, _, remedy = message.rpartition("; ")
    if not what or remedy.startswith("nothing was changed"):
        what, remedy = message, ""
    click.echo(f"{reason}: {what}", err=True)
    if where:
        click.echo(f"  where: {where}", err=True)
    if remedy:
        click.echo(f"  what to do: {remedy}", err=True)


def show_unexpected(error: Exception) -> None:
    """One line, and the traceback for who asked for it."""
    click.echo(f"InternalError: {type(error).__name__}: {error}", err=True)
    click.echo("  what to do: run again with ETL_LOG_LEVEL=debug, and report what it says", err=True)
    logging.getLogger(__name__).debug("the traceback", exc_info=error)
