"""The table's statistics, counted once for each time that it changes."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from etl_service.load.errors import TableOwned
from etl_service.load.store import Store, Table, TableStats
from etl_service.model import Run


@dataclass(frozen=True, slots=True)
class Counted:
    table: Table
    stats: TableStats


def own_table(store: Store, pipeline: str, name: str) -> Table | None:
    """The pipeline's table of that name; None where there is none yet, or somebody else's."""
    try:
        table = store.table(name)
    except TableOwned:
        return None
    return table if table and table.pipeline == pipeline else None


class Counting:
    """A table changes with a run that succeeds, and with nothing else: until the next one, the counts hold."""

    def __init__(self, store: Store, pipeline: str, table: str) -> None:
        self._store = store
        self._pipeline = pipeline
        self._table = table
        self._lock = threading.Lock()  # who asks while somebody counts waits for that, instead of counting too
        self._run_id: str | None = None
        self._counted: Counted | None = None

    def __call__(self, succeeded: Run | None) -> Counted | None:
        """The table in numbers, as its last successful run left it; None where there is no table yet."""
        run_id = succeeded.id if succeeded else None
        with self._lock:
            if self._counted is None or run_id != self._run_id:
                table = own_table(self._store, self._pipeline, self._table)
                self._counted = Counted(table, self._store.stats(table)) if table else None
                self._run_id = run_id
            return self._counted
