"""Runs: their record, their lock, and the one place where extract, transform and load meet."""

from etl_service.runs.lost import Lost, complete, end_dead
from etl_service.runs.preview import Preview, preview
from etl_service.runs.run import replay, run
from etl_service.runs.workers import begin_or_join, work
from etl_service.runs.world import Stop, World

__all__ = [
    "Lost",
    "Preview",
    "Stop",
    "World",
    "begin_or_join",
    "complete",
    "end_dead",
    "preview",
    "replay",
    "run",
    "work",
]
