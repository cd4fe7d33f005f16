"""Connections to the database that the DSN leads to."""

from __future__ import annotations

import re
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote as percent_encoded

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from etl_service.load.errors import DatabaseBusy, DatabaseLoginRefused, DatabaseUnavailable
from etl_service.load.postgres.errors import translated
from etl_service.load.sql import Cursor, quote

#: What the DSN leaves out. A peer that is gone is noticed within half a minute, not within hours.
_DEFAULTS = {
    "connect_timeout": "5",
    "fallback_application_name": "etl",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
#: A session of ours is the same whatever the server, the database or the role has as its defaults. Where the client is
#: gone, a long statement is not finished for nobody; where its machine is, its locks are given up within a minute.
_SESSION = """
SET search_path TO {schema};
SET TimeZone TO 'UTC';
SET extra_float_digits TO 1;
SET default_transaction_isolation TO 'read committed';
SET statement_timeout TO '{timeout}s';
SET lock_timeout TO '5s';
SET idle_in_transaction_session_timeout TO 0;
SET client_connection_check_interval TO '2s';
SET tcp_keepalives_idle TO 10;
SET tcp_keepalives_interval TO 5;
SET tcp_keepalives_count TO 3;
SET tcp_user_timeout TO '20s';
"""
#: How long somebody waits for a connection that others have, in seconds.
_PATIENCE = 5


@dataclass
class Database:
    """Where the rows are. The DSN goes to libpq, and into nothing that is shown."""

    dsn: str = field(repr=False)
    schema: str
    where: str  #: for messages: host, port and database
    secrets: tuple[str, ...] = field(repr=False)
    read: Callable[[], str] = field(repr=False)  #: the DSN as it is now

    def connect(self, timeout: int = 0) -> psycopg.Connection[Any]:
        """A session that commits each statement by itself.

        Args:
            timeout: how long a statement may take, in seconds; 0 is for as long as it does.

        Raises:
            DatabaseUnavailable and its kin: why there is none.
        """
        try:
            return self._connect(timeout)
        except DatabaseLoginRefused:
            # A password that has been changed reaches the secret's file by itself.
            renewed = read_dsn(self.read, self.schema)
            if renewed.dsn == self.dsn:
                raise
            self.dsn, self.where, self.secrets = renewed.dsn, renewed.where, renewed.secrets
            return self._connect(timeout)

    def _connect(self, timeout: int) -> psycopg.Connection[Any]:
        with translated(self):
            # A statement that is kept prepared fails for good once a column of its answer has another type.
            connection = psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None, client_encoding="UTF8")
            try:
                connection.execute(_SESSION.format(schema=quote(self.schema), timeout=timeout).encode())
            except BaseException:
                connection.close()
                raise
            return connection

    def without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return text


def read_dsn(read: Callable[[], str], schema: str) -> Database:
    """What the connection string says.

    Raises:
        DatabaseUnavailable: nothing that libpq takes; its own message would show the string, so it is not passed on.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(read()).items() if value is not None}
    except psycopg.Error:
        raise _unreadable("is no connection string") from None
    host, port, database = given.get("host", ""), given.get("port", "5432"), given.get("dbname", "")
    # A password with these characters in it makes libpq find its parts elsewhere, and tell of them.
    if "@" in host.lstrip("@") or "@" in database or not re.fullmatch("[0-9]*(,[0-9]*)*", port):
        raise _unreadable("cannot be read: a password in a URL has its own @ : / ? # written as %40 %3A %2F %3F %23")
    # libpq names the user, who may have chosen that as the password.
    secrets = {given.get(name, "") for name in ("password", "sslpassword")} - {"", given.get("user")}
    return Database(
        dsn=make_conninfo(**{**_DEFAULTS, **given}),
        schema=schema,
        where=f"{host or 'this machine'}:{port}/{database or given.get('user', '')}",
        secrets=tuple(form for each in secrets for form in (each, percent_encoded(each, safe=""))),
        read=read,
    )


def _unreadable(what: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the secret that load.postgres.dsn names {what}; write it like postgresql://user:password@host:5432/database",
        field="load.postgres.dsn",
    )


class Link:
    """A connection as `load.sql` has it."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        if not values:
            return self.raw.execute(statement.encode())
        return self.raw.execute(_marked(statement), values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        with self.raw.cursor() as cursor:
            cursor.executemany(_marked(statement), rows)


class Asking(Link):
    """A link for questions: one that PostgreSQL cannot even be asked finds nothing."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        return super().execute(statement, _askable(values))


class Streaming:
    """A cursor on the server as a connection, whose answers come a few rows at a time."""

    def __init__(self, cursor: psycopg.ServerCursor[Any]) -> None:
        self._cursor = cursor
        self._cursor.itersize = 2000

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        return self._cursor.execute(_marked(statement), _askable(values))

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        raise NotImplementedError


def _askable(values: Sequence[Any]) -> Sequence[Any]:
    """With null for a text that has a NUL in it: as no text here has, nothing is equal to either."""
    return [None if isinstance(value, str) and "\0" in value else value for value in values]


@lru_cache(maxsize=256)
def _marked(statement: str) -> bytes:
    """With psycopg's marks for bound values; no name and no text in our SQL has a question mark in it."""
    return statement.replace("%", "%%").replace("?", "%s").encode()


class Pool:
    """A few connections, each lent to one thread at a time.

    Not psycopg_pool: who waits for that in vain is told of a timeout. Here, who asks connects, and is told why not.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._lent = threading.BoundedSemaphore(size)
        self._idle: deque[psycopg.Connection[Any]] = deque()

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Lend one.

        Raises:
            DatabaseBusy: all are lent, and stay so.
            DatabaseUnavailable and its kin: none can be made.
        """
        if not self._lent.acquire(timeout=_PATIENCE):
            raise DatabaseBusy(f"all {self._size} connections of this process to the database are busy; ask again")
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._put(connection)
        finally:
            self._lent.release()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> psycopg.Connection[Any]:
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                # Nothing is on its way to a session that is idle, but the word that it has been ended.
                if not connection.closed and not _has_word(connection):
                    return connection
                connection.close()
        return self._connect()

    def _put(self, connection: psycopg.Connection[Any]) -> None:
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append(connection)


def _has_word(connection: psycopg.Connection[Any]) -> bool:
    poll = select.poll()  # select.select takes no descriptor above 1023
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
