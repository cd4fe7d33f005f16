"""Tables in SQLite: their definitions, the catalogue of who owns which, and how they grow."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache

from etl_service.load.errors import SchemaConflict, TableOwned
from etl_service.load.schema import ENGINE_COLUMNS, Plan, widen
from etl_service.load.store import Table, Target
from etl_service.model import Column
from etl_service.spec import ColumnType

EXACT = 2**53  #: beyond, a 64-bit float does not tell neighbours apart

_STORAGE: dict[ColumnType, str] = {
    "integer": "INTEGER",
    "number": "REAL",
    "boolean": "INTEGER",
    "text": "TEXT",
    "timestamp": "TEXT",
    "date": "TEXT",
    "json": "TEXT",
}


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def names(columns: Sequence[Column], prefix: str = "") -> str:
    return ", ".join(prefix + quote(column.name) for column in columns)


def catalogued(connection: sqlite3.Connection, name: str) -> Table | None:
    """The table as the catalogue has it.

    Raises:
        TableOwned: a table of that name is there that no pipeline made.
    """
    found = connection.execute("SELECT pipeline, columns, key FROM etl_tables WHERE name = ?", [name]).fetchone()
    if not connection.execute("SELECT 1 FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE", [name]).fetchone():
        return None  # also where a user has dropped it: it is made again, for whoever comes first
    if found:
        return _entry(name, *found)
    raise TableOwned(
        f"a table or view {name} is there that no pipeline made; choose another load.table", field="load.table"
    )


@lru_cache(maxsize=64)  # asked for with every page of rows, and seldom another
def _entry(name: str, pipeline: str, columns: str, key: str) -> Table:
    mapped = tuple(Column(*column) for column in json.loads(columns))
    return Table(name, pipeline, mapped + ENGINE_COLUMNS, tuple(json.loads(key)))


def carry_out(connection: sqlite3.Connection, target: Target, plan: Plan) -> None:
    """Make, extend or rebuild the table as planned, and enter it in the catalogue."""
    if not plan.changes:
        return
    if plan.before is None:
        create(connection, "main", target.table, plan.after, target.key)
    elif plan.widens:
        rebuild(connection, "main", target.table, plan.before, plan.after, target.key)
    else:
        add(connection, "main", target.table, plan.after[len(plan.before) :])
    connection.execute(
        "INSERT INTO etl_tables (name, pipeline, columns, key) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET pipeline = excluded.pipeline, columns = excluded.columns, key = excluded.key",
        [
            target.table,
            target.pipeline,
            json.dumps([(column.name, column.type) for column in plan.after]),
            json.dumps(target.key),
        ],
    )


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
    _refuse_to_round(connection, database, table, before, after)
    kept = connection.execute(
        f"SELECT sql FROM {database}.sqlite_schema "
        "WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL",
        [table],
    ).fetchall()
    fresh = f"etl_fresh_{table}"
    create(connection, database, fresh, after, key)
    connection.execute(
        f"INSERT INTO {database}.{quote(fresh)} ({names((*before, *ENGINE_COLUMNS))}) "
        f"SELECT {widened(before, after)}, {names(ENGINE_COLUMNS)} FROM {database}.{quote(table)} ORDER BY rowid"
    )
    connection.execute(f"DROP TABLE {database}.{quote(table)}")
    connection.execute(f"ALTER TABLE {database}.{quote(fresh)} RENAME TO {quote(table)}")
    for (statement,) in kept:
        connection.execute(statement)


def _refuse_to_round(
    connection: sqlite3.Connection, database: str, table: str, before: Sequence[Column], after: Sequence[Column]
) -> None:
    types = {column.name: column.type for column in after}
    for column in before:
        if (column.type, types[column.name]) == ("integer", "number"):
            beyond = f"{quote(column.name)} NOT BETWEEN -{EXACT} AND {EXACT}"
            if connection.execute(f"SELECT 1 FROM {database}.{quote(table)} WHERE {beyond} LIMIT 1").fetchone():
                raise SchemaConflict(
                    f"column {column.name} of table {table} has integers of more digits than a number keeps; "
                    "map it as integer or as text",
                    field="transform.columns",
                )


def widened(before: Sequence[Column], after: Sequence[Column], prefix: str = "") -> str:
    """SQL for the columns ``before`` with the types that they have ``after``; wants `teach_widening`."""
    types = {column.name: column.type for column in after}
    return ", ".join(
        prefix + quote(column.name)
        if types[column.name] == column.type
        else f"etl_widen({prefix}{quote(column.name)}, '{column.type}', '{types[column.name]}')"
        for column in before
    )


def teach_widening(connection: sqlite3.Connection) -> None:
    connection.create_function("etl_widen", 3, widen, deterministic=True)


def _definition(column: Column, *, required: bool = False) -> str:
    return f"{quote(column.name)} {_STORAGE[column.type]}{' NOT NULL' if required else ''}"
