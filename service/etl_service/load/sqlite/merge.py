"""Comparing what is staged with the table, and merging it. The preview compares; a run does both."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etl_service.errors import LoadError
from etl_service.load.errors import EmptyReplace, SchemaConflict
from etl_service.load.schema import ENGINE_COLUMNS, Plan, plan
from etl_service.load.sqlite.ddl import carry_out, catalogued, names, quote, widened
from etl_service.load.store import Loaded, Target
from etl_service.model import Column, Counts, Value

if TYPE_CHECKING:
    from etl_service.load.sqlite.staging import SqliteStaging


class CountsDiffer(LoadError):
    """The merge did not do what the comparison said: nothing is kept of it."""

    reason = "CountsDiffer"


@dataclass(frozen=True, slots=True)
class _Difference:
    """Staged rows, one for a key, against the table."""

    staged: int
    missing: int  #: not in the table
    different: int  #: in the table with other values
    absent: int  #: in the table and not staged; counted only for a replace


def compare(connection: sqlite3.Connection, staging: SqliteStaging) -> Loaded:
    """What merging would do."""
    schema = plan(catalogued(connection, staging.target.table), staging.target, staging.columns)
    return Loaded(_counts(staging, _difference(connection, staging, schema)), schema.changes)


def merge(connection: sqlite3.Connection, staging: SqliteStaging) -> Loaded:
    """Merge what is staged; to be called inside a transaction, which the caller ends.

    Raises:
        EmptyReplace: a replace with nothing that was not allowed.
        CountsDiffer: SQLite changed another number of rows than differ.
    """
    target = staging.target
    schema = plan(catalogued(connection, target.table), target, staging.columns)
    carry_out(connection, target, schema)
    # From here on the table is as the plan has it: rows are compared as they will be, keys that widen too.
    there = replace(schema, before=schema.before and schema.after)
    if target.replay and there.before is not None:
        _leave_newer(connection, staging)
    difference = _difference(connection, staging, there)
    if target.mode == "replace" and not difference.staged and not target.allow_empty:
        raise EmptyReplace(
            f"the source gave no row to replace table {target.table} with; it was left as it is. "
            "Set load.allowEmpty to true if nothing is a good answer",
            field="load.allowEmpty",
        )
    if target.mode == "replace" and there.before is not None:
        _delete(connection, target, difference)
    if staging.columns:
        _insert(connection, staging, there, difference)
    _move_cursor(connection, staging)
    return Loaded(_counts(staging, difference), schema.changes)


def cursor(connection: sqlite3.Connection, target: Target) -> Value:
    found = connection.execute(
        "SELECT value FROM etl_cursors WHERE (pipeline, tbl, col) = (?, ?, ?) "
        "AND tbl IN (SELECT name FROM main.sqlite_schema)",  # whoever drops the table wants it read from the start
        [target.pipeline, target.table, target.cursor_column],
    ).fetchone()
    return found[0] if found else None


def _difference(connection: sqlite3.Connection, staging: SqliteStaging, schema: Plan) -> _Difference:
    if not staging.columns:
        absent = _rows(connection, "main", staging.target.table) if schema.before is not None else 0
        return _Difference(0, 0, 0, absent)
    staged = _rows(connection, "staging", staging.target.table)
    if schema.before is None or _is_empty(connection, staging.target.table):
        return _Difference(staged, staged, 0, 0)
    if not staging.target.key:
        return _Difference(staged, staged, 0, _rows(connection, "main", staging.target.table))
    table, on = quote(staging.target.table), _on_key(staging.target, schema)
    key = quote(staging.target.key[0])
    missing, different = connection.execute(
        f"SELECT coalesce(sum(t.{key} IS NULL), 0), "
        f"coalesce(sum(t.{key} IS NOT NULL AND ({_differs(staging, schema)})), 0) "
        f"FROM staging.{table} AS s LEFT JOIN main.{table} AS t ON {on}"
    ).fetchone()
    absent = 0
    if staging.target.mode == "replace":
        absent = connection.execute(
            f"SELECT count(*) FROM main.{table} AS t WHERE NOT EXISTS (SELECT 1 FROM staging.{table} AS s WHERE {on})"
        ).fetchone()[0]
    return _Difference(staged, missing, different, absent)


def _counts(staging: SqliteStaging, difference: _Difference) -> Counts:
    target = staging.target
    there = difference.staged - difference.missing
    skipped = staging.skipped + staging.written - difference.staged
    different = difference.different
    if target.mode == "append":
        skipped, different, there = skipped + there, 0, 0
    return Counts(
        fetched=staging.written + staging.rejected + staging.skipped,
        inserted=difference.missing,
        updated=different,
        unchanged=there - different,
        rejected=staging.rejected,
        skipped=skipped,
        deleted=difference.absent if target.mode == "replace" else 0,
    )


def _leave_newer(connection: sqlite3.Connection, staging: SqliteStaging) -> None:
    """Skip replayed rows that a run has loaded again, or seen unchanged, since their record was fetched."""
    target, table = staging.target, quote(staging.target.table)
    if not target.key or not staging.columns:
        return
    seen = "SELECT max(started_at) FROM etl_runs WHERE pipeline = ? AND status = 'succeeded' AND trigger <> 'replay'"
    newer = connection.execute(
        f"DELETE FROM staging.{table} AS s WHERE EXISTS (SELECT 1 FROM main.{table} AS t "
        f"WHERE {_on_key(target)} AND (t.loaded_at >= s.loaded_at OR (? AND s.loaded_at < ({seen}))))",
        [target.complete, target.pipeline],
    ).rowcount
    staging.written -= newer
    staging.skipped += newer


def _delete(connection: sqlite3.Connection, target: Target, difference: _Difference) -> None:
    table = quote(target.table)
    absent = ""
    if target.key and difference.staged:
        absent = f" AS t WHERE NOT EXISTS (SELECT 1 FROM staging.{table} AS s WHERE {_on_key(target)})"
    if difference.absent:
        _expect(difference.absent, connection.execute(f"DELETE FROM main.{table}{absent}").rowcount)


def _insert(connection: sqlite3.Connection, staging: SqliteStaging, schema: Plan, difference: _Difference) -> None:
    target, table = staging.target, quote(staging.target.table)
    expected = difference.missing + (difference.different if target.mode != "append" else 0)
    if not expected:
        return
    if schema.before is None and schema.after == staging.columns and not (target.replay or staging.grown):
        # Two tables of one definition, the one empty: SQLite copies pages, not rows.
        statement = f"INSERT INTO main.{table} SELECT * FROM staging.{table}"
    else:
        columns = (*staging.columns, *ENGINE_COLUMNS)
        statement = (
            f"INSERT INTO main.{table} ({names(columns)}) "
            f"SELECT {names(staging.columns)}, '{staging.loaded_at}', '{staging.run_id}' "
            f"FROM staging.{table} AS s WHERE true ORDER BY s.rowid {_on_conflict(staging, schema)}"
        )
    _expect(expected, connection.execute(statement).rowcount)


def _on_conflict(staging: SqliteStaging, schema: Plan) -> str:
    target = staging.target
    if not target.key:
        return ""
    key = ", ".join(quote(name) for name in target.key)
    values = _values(target, staging, schema)
    if target.mode == "append" or not values:
        return f"ON CONFLICT ({key}) DO NOTHING"
    settings = ", ".join(f"{quote(c.name)} = excluded.{quote(c.name)}" for c in (*values, *ENGINE_COLUMNS))
    old, new = names(values, f"{quote(target.table)}."), names(values, "excluded.")
    return f"ON CONFLICT ({key}) DO UPDATE SET {settings} WHERE ({old}) IS NOT ({new})"


def _differs(staging: SqliteStaging, schema: Plan) -> str:
    """SQL: a staged row ``s`` differs from its row ``t`` of the table, both as they will be after the merge."""
    there, staged = _there(schema), {column.name: f"s.{quote(column.name)}" for column in staging.columns}
    values = _values(staging.target, staging, schema)
    if not values:
        return "false"
    # Rows of values, since a thousand terms with OR between them are too deep for SQLite.
    old = ", ".join(there.get(column.name, "NULL") for column in values)
    new = ", ".join(staged.get(column.name, "NULL") for column in values)
    return f"({old}) IS NOT ({new})"


def _there(schema: Plan) -> dict[str, str]:
    """SQL for the columns of the table ``t``, as they will be after the merge."""
    return {column.name: widened([column], schema.after, "t.") for column in schema.before or ()}


def _values(target: Target, staging: SqliteStaging, schema: Plan) -> list[Column]:
    """What a row is beside its key; a replace leaves nothing of what the mapping has no more."""
    columns = schema.after if target.mode == "replace" else staging.columns
    return [column for column in columns if column.name not in target.key]


def _on_key(target: Target, schema: Plan | None = None) -> str:
    there = _there(schema) if schema else {}
    return " AND ".join(f"{there.get(name, f't.{quote(name)}')} = s.{quote(name)}" for name in target.key)


def _is_empty(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"SELECT 1 FROM main.{quote(table)} LIMIT 1").fetchone() is None


def _rows(connection: sqlite3.Connection, database: str, table: str) -> int:
    count: int = connection.execute(f"SELECT count(*) FROM {database}.{quote(table)}").fetchone()[0]
    return count


def _move_cursor(connection: sqlite3.Connection, staging: SqliteStaging) -> None:
    target = staging.target
    if target.cursor_column is None or not staging.columns:
        return
    if target.cursor_column not in {column.name for column in staging.columns}:
        raise SchemaConflict(
            f"no record gave column {target.cursor_column} of table {target.table} a value: the cursor cannot move; "
            f"name one of {', '.join(column.name for column in staging.columns)}",
            field="extract.incremental.column",
        )
    connection.execute(
        "INSERT INTO etl_cursors (pipeline, tbl, col, value) "
        "SELECT ?, ?, ?, greatest FROM "
        f"(SELECT max({quote(target.cursor_column)}) AS greatest FROM staging.{quote(target.table)}) "
        "WHERE greatest IS NOT NULL "
        "ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
        [target.pipeline, target.table, target.cursor_column],
    )


def _expect(expected: int, found: int) -> None:
    if expected != found:
        raise CountsDiffer(f"the merge would have changed {found} rows where {expected} differ; nothing was changed")
