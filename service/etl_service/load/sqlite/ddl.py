"""Tables in SQLite: how they are defined, and how they grow."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from etl_service.load.catalogue import refuse_to_round
from etl_service.load.schema import ENGINE_COLUMNS
from etl_service.load.sql import names, quote
from etl_service.model import Column
from etl_service.spec import ColumnType

_STORAGE: dict[ColumnType, str] = {
    "integer": "INTEGER",
    "number": "REAL",
    "boolean": "INTEGER",
    "text": "TEXT",
    "timestamp": "TEXT",
    "date": "TEXT",
    "json": "TEXT",
}


def create(
    connection: sqlite3.Connection, database: str, table: str, columns: Sequence[Column], key: Sequence[str]
) -> None:
    lines = [_definition(column, required=column.name in key) for column in (*columns, *ENGINE_COLUMNS)]
    if key:
        lines.append(f"PRIMARY KEY ({', '.join(quote(name) for name in key)})")
    connection.execute(f"CREATE TABLE {database}.{quote(table)} ({', '.join(lines)}) STRICT")


def add(connection: sqlite3.Connection, database: str, table: str, columns: Sequence[Column]) -> None:
    for column in columns:
        connection.execute(f"ALTER TABLE {database}.{quote(table)} ADD COLUMN {_definition(column)}")


def rebuild(
    connection: sqlite3.Connection,
    database: str,
    table: str,
    before: Sequence[Column],
    after: Sequence[Column],
    key: Sequence[str],
) -> None:
    """Widen columns, which SQLite cannot do in place; indexes and triggers that users made are made again."""
    refuse_to_round(connection, table, before, after, where=f"{database}.{quote(table)}")
    kept = connection.execute(
        f"SELECT sql FROM {database}.sqlite_schema "
        "WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL",
        [table],
    ).fetchall()
    fresh = f"etl_fresh_{table}"
    create(connection, database, fresh, after, key)
    connection.execute(
        f"INSERT INTO {database}.{quote(fresh)} ({names((*before, *ENGINE_COLUMNS))}) "
        f"SELECT {_widened(before, after)}, {names(ENGINE_COLUMNS)} FROM {database}.{quote(table)} ORDER BY rowid"
    )
    connection.execute(f"DROP TABLE {database}.{quote(table)}")
    connection.execute(f"ALTER TABLE {database}.{quote(fresh)} RENAME TO {quote(table)}")
    for (statement,) in kept:
        connection.execute(statement)


def widened(expression: str, old: ColumnType, new: ColumnType) -> str:
    """Wants `etl_widen`, which a connection for writing is taught."""
    return expression if old == new else f"etl_widen({expression}, '{old}', '{new}')"


def _widened(before: Sequence[Column], after: Sequence[Column]) -> str:
    types = {column.name: column.type for column in after}
    return ", ".join(widened(quote(column.name), column.type, types[column.name]) for column in before)


def _definition(column: Column, *, required: bool = False) -> str:
    return f"{quote(column.name)} {_STORAGE[column.type]}{' NOT NULL' if required else ''}"
