"""Runs: their record, their lock, and the one place where extract, transform and load meet."""

from etl_service.runs.preview import Preview, preview
from etl_service.runs.run import end_dead, replay, run
from etl_service.runs.world import Stop, World

__all__ = ["Preview", "Stop", "World", "end_dead", "preview", "replay", "run"]
