"""What PostgreSQL says in its own way: columns have its own types, and readers get them as every store has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Json

from etl_service.load.catalogue import refuse_to_round
from etl_service.load.schema import ENGINE_COLUMNS
from etl_service.load.sql import Connection, Dialect, quote
from etl_service.load.store import Table
from etl_service.model import Column, Value
from etl_service.spec import ColumnType

#: The order in which the rows of a table without a key came: no column of a mapping can be called so.
ARRIVAL = '"row#"'

#: Text sorts by its bytes, as in SQLite: an index by a locale's order breaks when the server's locales are updated.
#: json and not jsonb: it keeps the text as it came, whatever its numbers and the order of its keys.
_STORAGE: dict[ColumnType, str] = {
    "integer": "bigint",
    "number": "double precision",
    "boolean": "boolean",
    "text": 'text COLLATE "C"',
    "timestamp": "timestamptz",
    "date": "date",
    "json": "json",
}
_CASTS = {**_STORAGE, "text": "text", "json": "text"}

_ASCII = re.compile(r"[\x01-\x7f]*")
_WILD = re.compile("[%_!]")


class PostgresDialect:
    samples = False
    conflicts_cost = True
    exists = "SELECT 1 FROM pg_class WHERE relname = ? AND relnamespace = quote_ident(current_schema())::regnamespace"
    size = "SELECT pg_database_size(current_database())"

    def shown(self, expression: str, type: ColumnType) -> str:
        if type == "timestamp":
            return f"""to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        if type == "date":
            return f"to_char({expression}, 'YYYY-MM-DD')"
        return f"CAST({expression} AS text)" if type == "json" else expression

    def typed(self, expression: str, type: ColumnType) -> str:
        return f"CAST({expression} AS {_CASTS[type]})"

    def comparable(self, expression: str, type: ColumnType) -> str:
        return f'(CAST({expression} AS text) COLLATE "C")' if type == "json" else expression

    def widened(self, expression: str, old: ColumnType, new: ColumnType) -> str:
        if old == new:
            return expression
        if new == "number":
            return f"CAST({expression} AS double precision)"
        if new == "timestamp":
            return f"(CAST({expression} AS timestamp) AT TIME ZONE 'UTC')"
        as_text = _number_as_text(expression) if old == "number" else f"CAST({self.shown(expression, old)} AS text)"
        if new == "text":
            return as_text
        return f"to_json({as_text})" if old in ("text", "date", "timestamp") else f"CAST({as_text} AS json)"

    def differ(self, old: Sequence[str], new: Sequence[str], types: Sequence[ColumnType]) -> str:
        before, after = (", ".join(map(self.comparable, row, types)) for row in (old, new))
        return f"ROW({before}) IS DISTINCT FROM ROW({after})"

    def contains(self, columns: Sequence[str], text: str) -> tuple[str, Sequence[Any]]:
        if "\0" in text:  # which no text here has
            return "FALSE", ()
        if _ASCII.fullmatch(text):
            contains, text = (
                [f"CAST({name} AS text) ILIKE ? ESCAPE '!'" for name in columns],
                _WILD.sub(r"!\g<0>", text),
            )
            return " OR ".join(contains), [f"%{text}%"] * len(contains)
        # Of other letters, the collation of our columns does not know the case; that of the database does.
        upper = 'upper(CAST({} AS text) COLLATE "default")'
        contains = [f"strpos({upper.format(name)}, {upper.format('?')}) > 0" for name in columns]
        return " OR ".join(contains), [text] * len(contains)

    def arrival(self, table: Table) -> str:
        return ARRIVAL

    def cursor(self, value: Value) -> Json:
        return Json(value)

    def create(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[Column],
        key: Sequence[str],
    ) -> None:
        lines = [_definition(column, required=column.name in key) for column in (*columns, *ENGINE_COLUMNS)]
        if not key:
            lines.append(f"{ARRIVAL} bigint GENERATED ALWAYS AS IDENTITY")
        connection.execute(f"CREATE TABLE {quote(table)} ({', '.join(lines)})")

    def filled(self, connection: Connection, table: str, key: Sequence[str]) -> None:
        # An index of rows that are there is made in a fraction of the time that they take to enter it one by one.
        columns = ", ".join(map(quote, key)) or ARRIVAL
        connection.execute(f"ALTER TABLE {quote(table)} ADD PRIMARY KEY ({columns})")

    def add(self, connection: Connection, table: str, columns: Sequence[Column]) -> None:
        added = ", ".join(f"ADD COLUMN {_definition(column)}" for column in columns)
        connection.execute(f"ALTER TABLE {quote(table)} {added}")

    def widen(
        self,
        connection: Connection,
        table: str,
        before: Sequence[Column],
        after: Sequence[Column],
        key: Sequence[str] = (),
    ) -> None:
        """In place; what is new among ``after`` is added."""
        refuse_to_round(connection, table, before, after, where=quote(table))
        old = {column.name: column.type for column in before}
        changes = []
        for column in after:
            name = quote(column.name)
            if column.name not in old:
                changes.append(f"ADD COLUMN {_definition(column)}")
            elif column.type != old[column.name]:
                value = self.widened(name, old[column.name], column.type)
                changes.append(f"ALTER COLUMN {name} TYPE {_STORAGE[column.type]} USING {value}")
        connection.execute(f"ALTER TABLE {quote(table)} {', '.join(changes)}")


POSTGRES: Dialect = PostgresDialect()


def staged_columns(columns: Sequence[Column], number: str, *, replay: bool) -> str:
    """Definitions for staging: the mapped columns, when a replayed row was fetched, and the number of each row."""
    lines = [*map(_definition, columns), *(["loaded_at timestamptz"] if replay else [])]
    return ", ".join([*lines, f"{ARRIVAL} bigint {number}"])


def _definition(column: Column, *, required: bool = False) -> str:
    return f"{quote(column.name)} {_STORAGE[column.type]}{' NOT NULL' if required else ''}"


def _number_as_text(number: str) -> str:
    """As Python writes it: with a point. Of 16 and 17 digits, the two may write one number differently."""
    text = f"CAST({number} AS text)"
    return f"CASE WHEN {text} ~ '^-?[0-9]+$' THEN {text} || '.0' ELSE {text} END"
