"""The command line: `etl`.

Each command is imported when it is called: what `etl serve` needs must not slow `etl run` down.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from types import FrameType
from typing import cast

import click

from etl_service import __version__
from etl_service.errors import EtlError

_COMMANDS = {
    "run": "etl_service.cli.run",
    "work": "etl_service.cli.work",
    "hand": "etl_service.cli.hands",
    "preview": "etl_service.cli.preview",
    "serve": "etl_service.cli.serve",
    "check": "etl_service.cli.check",
    "schema": "etl_service.cli.schema",
    "runs": "etl_service.cli.runs",
    "rejects": "etl_service.cli.rejects",
    "replay": "etl_service.cli.replay",
    "cancel": "etl_service.cli.cancel",
    "backup": "etl_service.cli.backup",
    "grants": "etl_service.cli.grants",
    "move": "etl_service.cli.move",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return cast(click.Command, import_module(_COMMANDS[cmd_name]).command)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="etl", message="%(prog)s %(version)s")
def etl() -> None:
    """Moves JSON records from a REST API into a SQL table, cleaned and typed, and shows what it did.

    \b
    Exit codes:
      0  it succeeded, or there was nothing to do
      1  it failed; the run's record says why
      2  the document, the command line or the environment is wrong
      3  another run of the pipeline is under way

    \b
    Environment:
      ETL_PIPELINE         the document, where a command names none
      ETL_DATABASE         the SQLite file (etl.db)
      ETL_ALLOWED_SOURCES  what may be read besides public addresses, with commas between: hosts, *.domains, addresses
                           and networks; anything where it is not set, or *
      ETL_LOG_LEVEL        debug, info, warning or error
    """


def main() -> None:
    """Run the command line, and end the process: errors are words on stderr, never a traceback."""
    # The kernel spares PID 1 of a container signals that it does not handle.
    signal.signal(signal.SIGTERM, _leave)
    try:
        etl.main(prog_name="etl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except EtlError as error:
        from etl_service.cli.failure import exit_code, show

        show(error)
        sys.exit(exit_code(error))
    except BrokenPipeError:  # `etl runs | head` has seen enough
        sys.exit(0)
    except Exception as error:
        from etl_service.cli.failure import show_unexpected

        show_unexpected(error)
        sys.exit(1)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
