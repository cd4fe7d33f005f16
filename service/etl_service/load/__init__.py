"""From typed rows to a table: staging, merge, schema changes, and the history beside them."""

from __future__ import annotations

from pathlib import Path

from etl_service.load.errors import DatabaseUnavailable
from etl_service.load.store import Store
from etl_service.spec import Load

__all__ = ["open_store"]


def open_store(load: Load | None, database: Path) -> Store:
    """The store that the document names, with the engine's tables in it; without a document, the SQLite file.

    Raises:
        DatabaseUnavailable and its kin: it cannot be used, and why.
    """
    if load is not None and load.postgres is not None:
        raise DatabaseUnavailable(
            "this version cannot load into PostgreSQL yet; leave out load.postgres", field="load.postgres"
        )
    from etl_service.load.sqlite.store import SqliteStore

    store = SqliteStore(database)
    store.prepare()
    return store
