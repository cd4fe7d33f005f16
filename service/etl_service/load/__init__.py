"""From typed rows to a table: staging, merge, schema changes, and the history beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from etl_service.load.store import Store
from etl_service.spec import Load, Secret

__all__ = ["open_store"]


def open_store(load: Load, database: Path, secrets: Callable[[Secret, str], str]) -> Store:
    """The store that the document names, with the engine's tables in it: ``database`` is the SQLite file.

    Args:
        secrets: reads a secret; given its path in the document, too.

    Raises:
        DatabaseUnavailable and its kin: it cannot be used, and why.
        SecretMissing: the connection string is not where the document says.
    """
    store: Store
    if load.postgres is not None:
        # psycopg takes as long to import as a small run does: whoever uses SQLite does without.
        from etl_service.load.postgres.store import PostgresStore

        store = PostgresStore(partial(secrets, load.postgres.dsn, "load.postgres.dsn"), load.postgres.schema_)
    else:
        from etl_service.load.sqlite.store import SqliteStore

        store = SqliteStore(database)
    store.prepare()
    return store
