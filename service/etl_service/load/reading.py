"""The readers' side of a table: pages, streams and statistics.

Paging is by keyset: a page begins after the last row of the page before, found by its key, so that the
thousandth page costs what the first one does, and rows that arrive meanwhile shift nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from etl_service.load.errors import QueryError
from etl_service.load.query import column_of, place_of, token, value_of
from etl_service.load.schema import mapped
from etl_service.load.sql import Connection, Dialect, quote
from etl_service.load.store import Order, Query, Row, Rows, Table, TableStats
from etl_service.spec import ColumnType


def rows(connection: Connection, dialect: Dialect, table: Table, query: Query) -> Rows:
    """A page: in time of its length where the order is the key's, of the table's where it is another or searched.

    Raises:
        QueryError: a column, value, order or token that the table does not have.
    """
    order = _order(dialect, table, query.sort, query.order)
    place = [dialect.shown(term, type) for term, type in zip(order.terms, order.types, strict=True)]
    statement, values = _select(dialect, table, query, order, f"{order.columns}, {', '.join(place)}")
    if query.limit is not None:
        statement += " LIMIT ?"
        values.append(query.limit + 1)
    found = connection.execute(statement, values).fetchall()
    page = found[: query.limit]
    more = len(found) > len(page)
    following = token(query.sort, query.order, page[-1][-len(order.terms) :]) if more else None
    return Rows(table.columns, list(_typed(table, page)), following)


def is_prompt(table: Table, query: Query) -> bool:
    """Whether the key leads to what is asked for; else it may take as long as reading the whole table."""
    by_key = {None, *table.key[:1]}
    return not query.search and query.sort in by_key and by_key.issuperset(query.filters)


def stream(connection: Connection, dialect: Dialect, table: Table, query: Query) -> Iterator[Row]:
    """All that match, whatever the query's limit; the memory it takes is a row's.

    Raises:
        QueryError: as for `rows`.
    """
    order = _order(dialect, table, query.sort, query.order)
    statement, values = _select(dialect, table, query, order, order.columns)
    return iter(_typed(table, connection.execute(statement, values)))


def stats(connection: Connection, dialect: Dialect, table: Table) -> TableStats:
    """Counted, not estimated: reads the table once."""
    nullable = [column for column in mapped(table.columns) if column.name not in table.key]
    counts = "".join(f", count({quote(column.name)})" for column in nullable)
    total, fresh_at, *filled = connection.execute(
        f"SELECT count(*), {dialect.shown('max(loaded_at)', 'timestamp')}{counts} FROM {quote(table.name)}"
    ).fetchone()
    (size,) = connection.execute(dialect.size).fetchone()
    nulls = {column.name: total - count for column, count in zip(nullable, filled, strict=True)}
    return TableStats(total, {column.name: nulls.get(column.name, 0) for column in table.columns}, fresh_at, size)


@dataclass(frozen=True, slots=True)
class _Order:
    """A table's rows in some order, in SQL."""

    columns: str
    terms: tuple[str, ...]  #: a row's values of these are its own alone
    types: tuple[ColumnType, ...]
    by: str | None  #: the first of them, where it may be null
    descending: bool

    def clause(self, terms: Sequence[str]) -> str:
        return ", ".join(map(self._direction, terms))

    def _direction(self, term: str) -> str:
        """Null comes before every value, as in SQLite's own order."""
        nulls = "" if term != self.by else " NULLS LAST" if self.descending else " NULLS FIRST"
        return f"{term} DESC{nulls}" if self.descending else f"{term}{nulls}"


@lru_cache(maxsize=128)  # most requests are for the same few, and SQL is as quickly read as written
def _order(dialect: Dialect, table: Table, sort: str | None, order: Order) -> _Order:
    if order not in ("asc", "desc"):
        raise QueryError(f"order is asc or desc, not {order!r}", field="order")
    columns = ", ".join(dialect.shown(quote(column.name), column.type) for column in table.columns)
    types = {column.name: column.type for column in table.columns}
    terms = [(quote(name), types[name]) for name in table.key] or [(dialect.arrival(table), "integer")]
    by = None
    if sort is not None and (sort,) != table.key[:1]:
        column = column_of(table, sort, "sort")
        by = dialect.comparable(quote(column.name), column.type)
        terms = [(by, column.type), *terms]
    expressions, kinds = zip(*terms, strict=True)
    return _Order(columns, expressions, kinds, by, order == "desc")


def _select(dialect: Dialect, table: Table, query: Query, order: _Order, what: str) -> tuple[str, list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for condition, bound in _conditions(dialect, table, query, order):
        conditions.append(f"({condition})")
        values += bound
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {what} FROM {quote(table.name)}{where} ORDER BY {order.clause(order.terms)}", values


def _conditions(dialect: Dialect, table: Table, query: Query, order: _Order) -> Iterator[tuple[str, Sequence[Any]]]:
    for name, text in query.filters.items():
        column = column_of(table, name, name)
        wanted = dialect.typed("?", column.type)
        yield f"{dialect.comparable(quote(column.name), column.type)} = {wanted}", [value_of(column, text)]
    if query.search:
        searched = [quote(column.name) for column in mapped(table.columns) if column.type in ("text", "json")]
        yield dialect.contains(searched, query.search) if searched else ("FALSE", ())
    after: tuple[str, Sequence[Any]] = "TRUE", ()
    if query.after is not None:
        place = place_of(query.after, query.sort, query.order, len(order.terms))
        yield (after := _after(dialect, order, place))
    if dialect.samples and order.by and query.limit and not query.search and not query.filters:
        yield _among_the_first(table, order, after, query.limit + 1)


#: How many rows are looked at to tell which others cannot be among the first.
_SAMPLE = 2000


def _among_the_first(
    table: Table, order: _Order, after: tuple[str, Sequence[Any]], count: int
) -> tuple[str, Sequence[Any]]:
    """Not behind so many others, as far as a sample tells.

    SQLite reads the table in the key's order, and keeps the first rows so far. A column often grows with the key: then
    every row is the first so far when the greatest are wanted, and keeping them takes ten times as long as reading
    them. So those at the key's other end are looked at before. Without enough of them every row passes, as null does.
    """
    terms, (condition, values) = ", ".join(order.terms), after
    sample = (
        f"SELECT {terms} FROM {quote(table.name)} WHERE {condition} "
        f"ORDER BY {order.clause(order.terms[1:])} LIMIT {_SAMPLE}"
    )
    last = f"SELECT {terms} FROM ({sample}) ORDER BY {order.clause(order.terms)} LIMIT 1 OFFSET {count - 1}"
    return f"(({terms}) {'<' if order.descending else '>'} ({last})) IS NOT TRUE", values


def _after(dialect: Dialect, order: _Order, place: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """Beyond the row with these values."""
    sign = "<" if order.descending else ">"
    given = [dialect.typed("?", type) for type in order.types]
    if order.by is None or place[0] is not None:
        beyond = f"({', '.join(order.terms)}) {sign} ({', '.join(given)})"
        return (f"{beyond} OR {order.by} IS NULL" if order.by and order.descending else beyond), place
    beyond = f"({', '.join(order.terms[1:])}) {sign} ({', '.join(given[1:])})"
    beyond = f"{order.by} IS NULL AND {beyond}" if order.descending else f"{order.by} IS NOT NULL OR {beyond}"
    return beyond, place[1:]


def _typed(table: Table, found: Iterable[tuple[Any, ...]]) -> Iterable[Row]:
    """The table's columns of each row, with booleans as such."""
    width = len(table.columns)
    booleans = [index for index, column in enumerate(table.columns) if column.type == "boolean"]
    if not booleans:
        return (row[:width] for row in found)
    return (_with_booleans(row[:width], booleans) for row in found)


def _with_booleans(row: Sequence[Any], booleans: Sequence[int]) -> Row:
    values = list(row)
    for index in booleans:
        values[index] = None if values[index] is None else bool(values[index])
    return tuple(values)
