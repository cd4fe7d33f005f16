"""A run's last words, for whoever started its container: Kubernetes keeps 4 KiB of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from etl_service.api.launch import Announcement
from etl_service.errors import LoadError
from etl_service.load.store import Store

#: Characters of a message, of which UTF-8 makes four bytes at most.
_LONGEST = 700


def leave(path: Path, said: Announcement) -> None:
    """Write what has become of the run, cut so that it fits."""
    if said.run:
        message = said.run.message and said.run.message[:_LONGEST]
        short: dict[str, Any] = {"message": message, "requests": {}, "schema_changes": []}
        said = said.model_copy(update={"run": said.run.model_copy(update=short)})
    if said.refusal:
        short = {"message": said.refusal.message[:_LONGEST]}
        said = said.model_copy(update={"refusal": said.refusal.model_copy(update=short)})
    with suppress(OSError):  # no run is to fail for it
        path.write_text(said.model_dump_json(exclude_none=True))


def rows_of(store: Store, table: str) -> int | None:
    """How many rows the table holds; None where that cannot be known."""
    with suppress(LoadError):
        found = store.table(table)
        return store.stats(found).rows if found else 0
    return None
