"""Comparing what is staged with the table, and merging it. The preview compares; a run does both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from etl_service.errors import LoadError
from etl_service.load import history
from etl_service.load.catalogue import carry_out, catalogued
from etl_service.load.errors import EmptyReplace, SchemaConflict
from etl_service.load.schema import ENGINE_COLUMNS, Plan, plan
from etl_service.load.sql import Connection, Dialect, names, quote
from etl_service.load.store import Loaded, Table, Target
from etl_service.model import Column, Counts, Run, Value
from etl_service.spec import ColumnType


class Staged(Protocol):
    """What a run has staged, as a merge sees it; what is written to it and what is rejected has been counted."""

    @property
    def connection(self) -> Connection: ...

    dialect: Dialect
    target: Target
    run_id: str
    loaded_at: str
    columns: tuple[Column, ...]
    written: int
    rejected: int
    skipped: int
    name: str  #: in SQL, of the staged rows
    table: str  #: in SQL, of the table that they are for
    rejects: str  #: in SQL, where the staged rejects are, and their order

    @property
    def alike(self) -> bool:
        """A staged row has the columns of a table that is made for it, in their order, and no others."""
        ...

    @property
    def in_order(self) -> str:
        """SQL that orders staged rows ``s`` as they came, where the table is to have them so."""
        ...

    def settle(self) -> None:
        """Leave one row of each key, the last, and make sure that what was written is there."""
        ...


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


def compare(staged: Staged) -> Loaded:
    """What merging would do."""
    schema = plan(_existing(staged), staged.target, staged.columns)
    staged.settle()
    return Loaded(_counts(staged, _difference(staged, schema)), schema.changes)


def merge_and_record(staged: Staged, finish: Callable[[Loaded], Run], replayed: Sequence[int]) -> Run:
    """Merge what is staged, and write the record that ``finish`` makes of it, inside a transaction of the caller's.

    Args:
        replayed: rejects that this run took up, and that now go.
    """
    loaded = merge(staged)
    history.drop_rejects(staged.connection, replayed)
    run = finish(loaded)
    history.keep_rejects(staged.connection, run, staged.rejects)
    history.end_run(staged.connection, run)
    return run


def merge(staged: Staged) -> Loaded:
    """Merge what is staged; to be called inside a transaction, which the caller ends.

    Raises:
        EmptyReplace: a replace with nothing that was not allowed.
        CountsDiffer: the database changed another number of rows than differ.
    """
    target = staged.target
    schema = plan(_existing(staged), target, staged.columns)
    staged.settle()
    carry_out(staged.connection, staged.dialect, target, schema)
    # From here on the table is as the plan has it: rows are compared as they will be, keys that widen too.
    there = replace(schema, before=schema.before and schema.after)
    if target.replay and there.before is not None:
        _leave_newer(staged)
    difference = _difference(staged, there)
    if target.mode == "replace" and not difference.staged and not target.allow_empty:
        raise EmptyReplace(
            f"the source gave no row to replace table {target.table} with; it was left as it is. "
            "Set load.allowEmpty to true if nothing is a good answer",
            field="load.allowEmpty",
        )
    if target.mode == "replace" and there.before is not None:
        _delete(staged, difference)
    if staged.columns:
        _insert(staged, there, difference)
        if schema.before is None:
            staged.dialect.filled(staged.connection, target.table, target.key)
    _move_cursor(staged)
    return Loaded(_counts(staged, difference), schema.changes)


def cursor(connection: Connection, dialect: Dialect, target: Target) -> Value:
    found = connection.execute(
        "SELECT value FROM etl_cursors WHERE pipeline = ? AND tbl = ? AND col = ?",
        [target.pipeline, target.table, target.cursor_column],
    ).fetchone()
    if found and connection.execute(dialect.exists, [target.table]).fetchone():
        value: Value = found[0]
        return value
    return None  # also where the table was dropped: whoever does that wants it read from the start


def _existing(staged: Staged) -> Table | None:
    return catalogued(staged.connection, staged.dialect, staged.target.table)


def _difference(staged: Staged, schema: Plan) -> _Difference:
    if not staged.columns:
        absent = _rows(staged, staged.table) if schema.before is not None else 0
        return _Difference(0, 0, 0, absent)
    rows = _rows(staged, staged.name)
    if schema.before is None or _is_empty(staged):
        return _Difference(rows, rows, 0, 0)
    if not staged.target.key:
        return _Difference(rows, rows, 0, _rows(staged, staged.table))
    on, key = _on_key(staged, schema), quote(staged.target.key[0])
    missing, different = staged.connection.execute(
        f"SELECT count(*) FILTER (WHERE t.{key} IS NULL), "
        f"count(*) FILTER (WHERE t.{key} IS NOT NULL AND ({_differs(staged, schema)})) "
        f"FROM {staged.name} AS s LEFT JOIN {staged.table} AS t ON {on}"
    ).fetchone()
    absent = 0
    if staged.target.mode == "replace":
        absent = staged.connection.execute(
            f"SELECT count(*) FROM {staged.table} AS t WHERE NOT EXISTS (SELECT 1 FROM {staged.name} AS s WHERE {on})"
        ).fetchone()[0]
    return _Difference(rows, missing, different, absent)


def _counts(staged: Staged, difference: _Difference) -> Counts:
    target = staged.target
    there = difference.staged - difference.missing
    skipped = staged.skipped + staged.written - difference.staged
    different = difference.different
    if target.mode == "append":
        skipped, different, there = skipped + there, 0, 0
    return Counts(
        fetched=staged.written + staged.rejected + staged.skipped,
        inserted=difference.missing,
        updated=different,
        unchanged=there - different,
        rejected=staged.rejected,
        skipped=skipped,
        deleted=difference.absent if target.mode == "replace" else 0,
    )


def _leave_newer(staged: Staged) -> None:
    """Skip replayed rows that a run has loaded again, or seen unchanged, since their record was fetched."""
    target = staged.target
    if not target.key or not staged.columns:
        return
    seen = "SELECT max(started_at) FROM etl_runs WHERE pipeline = ? AND status = 'succeeded' AND trigger <> 'replay'"
    staged.connection.execute(
        f"DELETE FROM {staged.name} AS s WHERE EXISTS (SELECT 1 FROM {staged.table} AS t WHERE {_on_key(staged)} "
        f"AND (t.loaded_at >= s.loaded_at OR (? AND s.loaded_at < {staged.dialect.typed(f'({seen})', 'timestamp')})))",
        [target.complete, target.pipeline],
    )


def _delete(staged: Staged, difference: _Difference) -> None:
    absent = ""
    if staged.target.key and difference.staged:
        absent = f" AS t WHERE NOT EXISTS (SELECT 1 FROM {staged.name} AS s WHERE {_on_key(staged)})"
    if difference.absent:
        _expect(difference.absent, staged.connection.execute(f"DELETE FROM {staged.table}{absent}").rowcount)


def _insert(staged: Staged, schema: Plan, difference: _Difference) -> None:
    target = staged.target
    expected = difference.missing + (difference.different if target.mode != "append" else 0)
    if not expected:
        return
    if schema.before is None and schema.after == staged.columns and not target.replay and staged.alike:
        # Two tables of one definition, the one empty: SQLite copies pages, not rows.
        statement, values = f"INSERT INTO {staged.table} SELECT * FROM {staged.name}", []
    else:
        loaded_at = staged.dialect.typed("?", "timestamp")
        statement = (
            f"INSERT INTO {staged.table} ({names((*staged.columns, *ENGINE_COLUMNS))}) "
            f"SELECT {names(staged.columns, 's.')}, {loaded_at}, {staged.dialect.typed('?', 'text')} "
            f"FROM {_source(staged, schema, difference)} {staged.in_order} {_on_conflict(staged, schema)}"
        )
        values = [staged.loaded_at, staged.run_id]
    _expect(expected, staged.connection.execute(statement, values).rowcount)


def _source(staged: Staged, schema: Plan, difference: _Difference) -> str:
    """The staged rows ``s`` that are to be written; all of them, where what does not differ costs nothing."""
    if difference.missing == difference.staged or not staged.dialect.conflicts_cost:
        return f"{staged.name} AS s WHERE true"
    wanted = f"t.{quote(staged.target.key[0])} IS NULL"
    if staged.target.mode != "append":
        wanted += f" OR {_differs(staged, schema)}"
    return f"{staged.name} AS s LEFT JOIN {staged.table} AS t ON {_on_key(staged)} WHERE {wanted}"


def _on_conflict(staged: Staged, schema: Plan) -> str:
    target = staged.target
    if not target.key or schema.before is None:
        return ""
    key = ", ".join(quote(name) for name in target.key)
    values = _values(staged, schema)
    if target.mode == "append" or not values:
        return f"ON CONFLICT ({key}) DO NOTHING"
    settings = ", ".join(f"{quote(c.name)} = excluded.{quote(c.name)}" for c in (*values, *ENGINE_COLUMNS))
    old, new = ([f"{row}.{quote(column.name)}" for column in values] for row in (quote(target.table), "excluded"))
    differ = staged.dialect.differ(old, new, _types(values))
    return f"ON CONFLICT ({key}) DO UPDATE SET {settings} WHERE {differ}"


def _differs(staged: Staged, schema: Plan) -> str:
    """SQL: a staged row ``s`` differs from its row ``t`` of the table, both as they will be after the merge."""
    there, new = _there(staged, schema), {column.name: f"s.{quote(column.name)}" for column in staged.columns}
    values = _values(staged, schema)
    if not values:
        return "false"
    return staged.dialect.differ(
        [there.get(column.name, "NULL") for column in values],
        [new.get(column.name, "NULL") for column in values],
        _types(values),
    )


def _there(staged: Staged, schema: Plan) -> dict[str, str]:
    """SQL for the columns of the table ``t``, as they will be after the merge."""
    after = {column.name: column.type for column in schema.after}
    return {
        column.name: staged.dialect.widened(f"t.{quote(column.name)}", column.type, after[column.name])
        for column in schema.before or ()
    }


def _values(staged: Staged, schema: Plan) -> list[Column]:
    """What a row is beside its key; a replace leaves nothing of what the mapping has no more."""
    columns = schema.after if staged.target.mode == "replace" else staged.columns
    return [column for column in columns if column.name not in staged.target.key]


def _types(columns: Sequence[Column]) -> list[ColumnType]:
    return [column.type for column in columns]


def _on_key(staged: Staged, schema: Plan | None = None) -> str:
    there = _there(staged, schema) if schema else {}
    return " AND ".join(f"{there.get(name, f't.{quote(name)}')} = s.{quote(name)}" for name in staged.target.key)


def _is_empty(staged: Staged) -> bool:
    return staged.connection.execute(f"SELECT 1 FROM {staged.table} LIMIT 1").fetchone() is None


def _rows(staged: Staged, table: str) -> int:
    count: int = staged.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def _move_cursor(staged: Staged) -> None:
    target, types = staged.target, {column.name: column.type for column in staged.columns}
    if target.cursor_column is None or not staged.columns:
        return
    if target.cursor_column not in types:
        raise SchemaConflict(
            f"no record gave column {target.cursor_column} of table {target.table} a value: the cursor cannot move; "
            f"name one of {', '.join(types)}",
            field="extract.incremental.column",
        )
    column, type = quote(target.cursor_column), types[target.cursor_column]
    (greatest,) = staged.connection.execute(
        f"SELECT {staged.dialect.shown(f'max({column})', type)} FROM {staged.name}"
    ).fetchone()
    before: Any = cursor(staged.connection, staged.dialect, target)
    comparable = before is not None and isinstance(before, str) == isinstance(greatest, str)
    if greatest is not None and not (comparable and before >= greatest):
        keep_cursor(staged.connection, staged.dialect, target, greatest)


def keep_cursor(connection: Connection, dialect: Dialect, target: Target, value: Value) -> None:
    connection.execute(
        "INSERT INTO etl_cursors (pipeline, tbl, col, value) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (pipeline, tbl, col) DO UPDATE SET value = excluded.value",
        [target.pipeline, target.table, target.cursor_column, dialect.cursor(value)],
    )


def _expect(expected: int, found: int) -> None:
    if expected != found:
        raise CountsDiffer(f"the merge would have changed {found} rows where {expected} differ; nothing was changed")
