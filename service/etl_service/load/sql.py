"""What SQLite and PostgreSQL say alike, and what each says in its own way.

Statements are written once, for both: with ``?`` for a bound value, and what differs asked of a `Dialect`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from etl_service.load.store import Table
from etl_service.model import Column, Value
from etl_service.spec import ColumnType


class Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """As sqlite3 has it."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor: ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Any: ...


class Dialect(Protocol):
    """One database's own words. Expressions are SQL; tables and columns are given by their names."""

    #: Whether reading looks at a sample to tell which rows cannot be among the first; else the planner knows better.
    samples: bool
    #: Whether a conflict that changes nothing costs a write all the same.
    conflicts_cost: bool
    #: A statement that finds the table, view or index of the name bound to it.
    exists: str
    #: A statement for the bytes of the whole database.
    size: str

    def __hash__(self) -> int: ...

    def shown(self, expression: str, type: ColumnType) -> str:
        """A value of the type as a `Value`; booleans may be numbers."""
        ...

    def typed(self, expression: str, type: ColumnType) -> str:
        """A `Value` of the type as a column holds it."""
        ...

    def comparable(self, expression: str, type: ColumnType) -> str:
        """A column as it is compared and sorted."""
        ...

    def widened(self, expression: str, old: ColumnType, new: ColumnType) -> str:
        """A column's value of type ``old`` as one of type ``new`` holds it: `etl_service.load.schema.widen`, in SQL."""
        ...

    def differ(self, old: Sequence[str], new: Sequence[str], types: Sequence[ColumnType]) -> str:
        """One row of values is not the other; null and null are the same."""
        ...

    def contains(self, columns: Sequence[str], text: str) -> tuple[str, Sequence[Any]]:
        """One of the columns has the text in it, without regard to case; and what is bound."""
        ...

    def arrival(self, table: Table) -> str:
        """The order in which the rows of a table without a key came."""
        ...

    def cursor(self, value: Value) -> Any:
        """What is bound to keep a cursor."""
        ...

    def create(self, connection: Any, table: str, columns: Sequence[Column], key: Sequence[str]) -> None: ...

    def filled(self, connection: Any, table: str, key: Sequence[str]) -> None:
        """Do what is quicker once a table that was made has its first rows."""
        ...

    def add(self, connection: Any, table: str, columns: Sequence[Column]) -> None: ...

    def widen(
        self, connection: Any, table: str, before: Sequence[Column], after: Sequence[Column], key: Sequence[str]
    ) -> None: ...


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def names(columns: Sequence[Column], prefix: str = "") -> str:
    return ", ".join(prefix + quote(column.name) for column in columns)
