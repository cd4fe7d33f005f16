"""A run's last words, for whoever started its container: Kubernetes keeps 4 KiB of them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from etl_service.api.launch import Announcement
from etl_service.errors import LoadError
from etl_service.load.store import Store

#: Bytes of a message, as JSON.
_LONGEST = 2800


def leave(path: Path, said: Announcement) -> None:
    """Write what has become of the run, cut so that it fits."""
    if said.run:
        short: dict[str, Any] = {"message": said.run.message and _cut(said.run.message)}
        short |= {"requests": {}, "schema_changes": []}
        said = said.model_copy(update={"run": said.run.model_copy(update=short)})
    if said.refusal:
        short = {"message": _cut(said.refusal.message)}
        said = said.model_copy(update={"refusal": said.refusal.model_copy(update=short)})
    with suppress(OSError):  # no run is to fail for it
        path.write_text(said.model_dump_json(exclude_none=True))


def _cut(message: str) -> str:
    while len(json.dumps(message)) > _LONGEST:
        message = message[: len(message) * 3 // 4]
    return message


def rows_of(store: Store, table: str) -> int | None:
    """How many rows the table holds; None where that cannot be known."""
    with suppress(LoadError):
        found = store.table(table)
        return store.stats(found).rows if found else 0
    return None
