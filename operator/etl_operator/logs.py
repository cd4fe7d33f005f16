"""Logging: one JSON object a line, with the pipeline it is about."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from etl_operator.settings import LogLevel

#: Of these only what goes wrong.
_TALKATIVE = ("kopf", "aiohttp", "asyncio", "kubernetes")


def configure(level: LogLevel) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                ExtraAdder(allow=("pipeline",)),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processors=[ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
