"""Which changes a mapping asks of a table that exists. Pure, and the same for every store.

A table only gains: columns are added or widened, never dropped or narrowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from etl_service.load.errors import SchemaConflict, TableOwned
from etl_service.load.store import Table, Target
from etl_service.model import Column, Value
from etl_service.spec import ColumnType

#: Added to every row.
ENGINE_COLUMNS = (Column("loaded_at", "timestamp"), Column("run_id", "text"))

_WIDER: dict[ColumnType, frozenset[ColumnType]] = {
    "integer": frozenset(("number", "text", "json")),
    "number": frozenset(("text", "json")),
    "boolean": frozenset(("text", "json")),
    "date": frozenset(("timestamp", "text", "json")),
    "timestamp": frozenset(("text", "json")),
    "text": frozenset(("json",)),
    "json": frozenset(),
}

#: Of a key, only where a value that was loaded before is written as the same value comes in now; 5.0 is not "5".
_WIDER_KEYS = {
    **dict.fromkeys(_WIDER, frozenset()),
    "integer": frozenset(("number", "text")),
    "boolean": frozenset(("text",)),
    "date": frozenset(("timestamp", "text")),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a table comes to hold what is to be loaded."""

    before: tuple[Column, ...] | None  #: None where there is no table yet
    after: tuple[Column, ...]
    changes: tuple[str, ...]

    @property
    def widens(self) -> bool:
        return self.before is not None and self.after[: len(self.before)] != self.before


def plan(existing: Table | None, target: Target, columns: Sequence[Column]) -> Plan:
    """Decide how ``target`` takes ``columns``; without a table and without columns there is nothing to make.

    Raises:
        TableOwned: the table is another pipeline's.
        SchemaConflict: the key or a type would change in a way that loses data.
    """
    if existing is None:
        changes = (f"created table {target.table}",) if columns else ()
        return Plan(None, tuple(columns), changes)
    if existing.pipeline != target.pipeline:
        raise TableOwned(
            f"table {target.table} belongs to pipeline {existing.pipeline}; choose another load.table",
            field="load.table",
        )
    if existing.key != target.key:
        raise SchemaConflict(
            f"table {target.table} has the key [{', '.join(existing.key)}], and a key cannot change; "
            "choose another load.table, or give load.key as it was",
            field="load.key",
        )
    before = mapped(existing.columns)
    after = conform(before, columns, target.table, target.key)
    was = {column.name: column.type for column in before}
    return Plan(before, after, tuple(_changes(was, after)))


def conform(
    before: Sequence[Column], wanted: Iterable[Column], table: str, key: Sequence[str] = ()
) -> tuple[Column, ...]:
    """The columns that hold both: those there were, widened where needed, then the new ones.

    Raises:
        SchemaConflict: a column would become narrower, or something else altogether.
    """
    after = {column.name.lower(): column for column in before}
    for column in wanted:
        known = after.get(column.name.lower())
        if known is None:
            after[column.name.lower()] = column
        elif column.name != known.name:
            raise SchemaConflict(
                f"column {column.name} of table {table} is there as {known.name}, and SQL does not tell the two apart; "
                "write it the same way",
                field="transform.columns",
            )
        elif column.type in (_WIDER if column.name not in key else _WIDER_KEYS)[known.type]:
            after[column.name.lower()] = column
        elif column.type != known.type:
            raise SchemaConflict(
                f"column {known.name} of table {table} is {known.type} and cannot become {column.type} "
                f"without losing data; keep it {known.type}, or give the new one another name",
                field="transform.columns",
            )
    return tuple(after.values())


def widen(value: Value, old: ColumnType, new: ColumnType) -> Value:
    """A value of type ``old`` as type ``new`` holds it."""
    if value is None or old == new:
        return value
    if new == "number":
        return float(value)
    if new == "timestamp":
        return f"{value}T00:00:00.000000Z"
    if old == "boolean":
        return "true" if value else "false"
    if new == "json" and old in ("text", "date", "timestamp"):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def mapped(columns: Sequence[Column]) -> tuple[Column, ...]:
    """A table's columns without the engine's own."""
    own = {column.name for column in ENGINE_COLUMNS}
    return tuple(column for column in columns if column.name not in own)


def _changes(was: dict[str, ColumnType], after: Sequence[Column]) -> Iterable[str]:
    for column in after:
        old = was.get(column.name)
        if old is None:
            yield f"added column {column.name} {column.type}"
        elif old != column.type:
            yield f"widened column {column.name} from {old} to {column.type}"
