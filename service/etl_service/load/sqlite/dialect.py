"""What SQLite says in its own way."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from etl_service.load.schema import widen
from etl_service.load.sql import Dialect
from etl_service.load.sqlite import ddl
from etl_service.load.store import Table
from etl_service.model import Column, Value
from etl_service.spec import ColumnType

#: What LIKE can look for, many times as fast as a function of ours: of other letters it does not know the case.
_LIKABLE = re.compile(r"[\x01-\x7f]{1,10000}")
_WILD = re.compile("[%_!]")


class SqliteDialect:
    """Values are stored as they are bound, so that hardly anything has to be said of their types."""

    samples = True
    conflicts_cost = False
    exists = "SELECT 1 FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE"
    size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"

    def shown(self, expression: str, type: ColumnType) -> str:
        return expression

    def typed(self, expression: str, type: ColumnType) -> str:
        return expression

    def comparable(self, expression: str, type: ColumnType) -> str:
        return expression

    def widened(self, expression: str, old: ColumnType, new: ColumnType) -> str:
        return ddl.widened(expression, old, new)

    def differ(self, old: Sequence[str], new: Sequence[str], types: Sequence[ColumnType]) -> str:
        # Rows of values, since a thousand terms with OR between them are too deep for SQLite.
        return f"({', '.join(old)}) IS NOT ({', '.join(new)})"

    def contains(self, columns: Sequence[str], text: str) -> tuple[str, Sequence[Any]]:
        if _LIKABLE.fullmatch(text):
            contains, text = [f"{name} LIKE ? ESCAPE '!'" for name in columns], "%" + _WILD.sub(r"!\g<0>", text) + "%"
        else:
            contains, text = [f"instr(etl_fold({name}), ?)" for name in columns], text.casefold()
        return " OR ".join(contains), [text] * len(contains)

    def arrival(self, table: Table) -> str:
        """A name for it that no column has taken."""
        taken = {column.name.lower() for column in table.columns}
        return next(name for name in ("rowid", "_rowid_", "oid") if name not in taken)

    def cursor(self, value: Value) -> Value:
        return value

    def create(self, connection: sqlite3.Connection, table: str, columns: Sequence[Column], key: Sequence[str]) -> None:
        ddl.create(connection, "main", table, columns, key)

    def filled(self, connection: sqlite3.Connection, table: str, key: Sequence[str]) -> None:
        pass

    def add(self, connection: sqlite3.Connection, table: str, columns: Sequence[Column]) -> None:
        ddl.add(connection, "main", table, columns)

    def widen(
        self,
        connection: sqlite3.Connection,
        table: str,
        before: Sequence[Column],
        after: Sequence[Column],
        key: Sequence[str],
    ) -> None:
        ddl.rebuild(connection, "main", table, before, after, key)


SQLITE: Dialect = SqliteDialect()


def teach(connection: sqlite3.Connection) -> None:
    """The functions that the dialect's expressions call."""
    connection.create_function("etl_widen", 3, widen, deterministic=True)
    connection.create_function("etl_fold", 1, _fold, deterministic=True)


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()
