"""The catalogue of tables: who owns which, with which columns; and how a table comes to be as it is planned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from etl_service.load.errors import SchemaConflict, TableOwned
from etl_service.load.schema import ENGINE_COLUMNS, Plan
from etl_service.load.sql import Connection, Dialect, quote
from etl_service.load.store import Table, Target
from etl_service.model import Column

EXACT = 2**53  #: beyond, a 64-bit float does not tell neighbours apart


def catalogued(connection: Connection, dialect: Dialect, name: str) -> Table | None:
    """The table as the catalogue has it.

    Raises:
        TableOwned: a table of that name is there that no pipeline made.
    """
    found = connection.execute("SELECT pipeline, columns, key FROM etl_tables WHERE name = ?", [name]).fetchone()
    if not connection.execute(dialect.exists, [name]).fetchone():
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


def carry_out(connection: Connection, dialect: Dialect, target: Target, plan: Plan) -> None:
    """Make, extend or widen the table as planned, and enter it in the catalogue."""
    if not plan.changes:
        return
    if plan.before is None:
        dialect.create(connection, target.table, plan.after, target.key)
    elif plan.widens:
        dialect.widen(connection, target.table, plan.before, plan.after, target.key)
    else:
        dialect.add(connection, target.table, plan.after[len(plan.before) :])
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


def refuse_to_round(
    connection: Connection, table: str, before: Sequence[Column], after: Sequence[Column], *, where: str
) -> None:
    """Integers become numbers only where none of them loses a digit; ``where`` is the table in SQL.

    Raises:
        SchemaConflict: one would.
    """
    types = {column.name: column.type for column in after}
    for column in before:
        if (column.type, types[column.name]) == ("integer", "number"):
            beyond = f"{quote(column.name)} NOT BETWEEN -{EXACT} AND {EXACT}"
            if connection.execute(f"SELECT 1 FROM {where} WHERE {beyond} LIMIT 1").fetchone():
                raise SchemaConflict(
                    f"column {column.name} of table {table} has integers of more digits than a number keeps; "
                    "map it as integer or as text",
                    field="transform.columns",
                )
