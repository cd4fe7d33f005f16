"""Logging: the engine writes to Python's own loggers, structlog gives the lines their form.

A line is JSON or for eyes, on stderr, and carries what was bound: a run's id is on every line of its process,
whichever thread wrote it.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from etl_service.settings import LogFormat, LogLevel

#: A process makes one run, on several threads: what is bound holds for all of it.
_bound: dict[str, Any] = {}

#: Of these only what goes wrong: httpx logs each request with its URL, where a source's key may be.
_TALKATIVE = ("httpx", "httpcore", "hpack", "uvicorn", "asyncio")


def configure(format: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (stderr unless given), and forget what was bound."""
    _bound.clear()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A warning of a library is a line like any other.
    logging.captureWarnings(True)


def bind(**fields: Any) -> None:
    """Put these on every line from now on; None takes one away."""
    _bound.update(fields)
    for name in [name for name, value in _bound.items() if value is None]:
        del _bound[name]


class _Formatter(logging.Formatter):
    """structlog's, made with the first line: importing it costs a quarter of a second, which a quiet run saves."""

    def __init__(self, format: LogFormat) -> None:
        super().__init__()
        self._format = format
        self._structured: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._structured is None:
            self._structured = _structured(self._format)
        return self._structured.format(record)


def _structured(format: LogFormat) -> logging.Formatter:
    import structlog
    from structlog.stdlib import ProcessorFormatter

    def add_bound(logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {**_bound, **event}

    chain: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_bound,
    ]
    render: list[Any] = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    if format == "json":
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    return ProcessorFormatter(foreign_pre_chain=chain, processors=[ProcessorFormatter.remove_processors_meta, *render])
