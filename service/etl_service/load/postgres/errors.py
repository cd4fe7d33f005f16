"""What PostgreSQL's errors, and libpq's, mean to a user.

Of the server's own messages only the first line is passed on: what follows it can hold a row's values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from etl_service.errors import EtlError
from etl_service.load.errors import (
    DatabaseBusy,
    DatabaseForbidden,
    DatabaseFull,
    DatabaseLoginRefused,
    DatabaseNotFound,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUntrusted,
    SchemaConflict,
)

if TYPE_CHECKING:
    from etl_service.load.postgres.connection import Database

_DSN = "load.postgres.dsn"

#: What libpq says of a connection that does not come about: it gives no code. The first that is found counts.
_REFUSALS: tuple[tuple[str, type[DatabaseUnavailable], str], ...] = (
    ("password authentication failed", DatabaseLoginRefused, "correct the user or the password"),
    ("no password supplied", DatabaseLoginRefused, "put the password into the secret"),
    ("pg_hba.conf", DatabaseLoginRefused, "have the server's administrator let this user in from here"),
    ("is not permitted to log in", DatabaseLoginRefused, "ALTER ROLE … LOGIN, or name another user"),
    ("role", DatabaseLoginRefused, "create the role, or name another user"),
    ("permission denied for database", DatabaseForbidden, "`etl grants` prints what the user needs"),
    ("database", DatabaseNotFound, "create the database, or name another"),
    ("remaining connection slots", DatabaseBusy, "raise max_connections, or have others use fewer; then ask again"),
    ("too many", DatabaseBusy, "raise the limit of connections, or have others use fewer; then ask again"),
    ("certificate", DatabaseUntrusted, "set sslrootcert and sslmode in it to what the server's administrator says"),
    ("SSL", DatabaseUntrusted, "set sslmode in it to what the server's administrator says"),
    ("read-only", DatabaseReadOnly, "name the primary in it"),
    ("hot standby", DatabaseReadOnly, "name the primary in it"),
    ("starting up", DatabaseUnavailable, "ask again in a moment"),
    ("shutting down", DatabaseUnavailable, "ask again in a moment"),
    ("recovery", DatabaseUnavailable, "ask again in a moment"),
    ("resolve host", DatabaseUnavailable, "correct the host, or the name servers of this machine"),
)

#: By SQLSTATE, or its class: the error, and what to do.
_STATES: dict[str, tuple[type[EtlError], str]] = {
    "25006": (DatabaseReadOnly, "name a server that takes writes, such as the primary, with target_session_attrs"),
    "42P01": (DatabaseUnavailable, "run the pipeline once, which makes what is missing"),
    "42501": (DatabaseForbidden, "`etl grants` prints what the user needs"),
    "3F000": (DatabaseNotFound, "create the schema, and let the user use it: `etl grants` prints how"),
    "53100": (DatabaseFull, "make room on the server and run again. Nothing was changed"),
    "53200": (
        DatabaseUnavailable,
        "give the server more memory, or more max_locks_per_transaction where that is shared memory, and run again",
    ),
    "53300": (DatabaseBusy, "raise max_connections, or have others use fewer; then ask again"),
    "55P03": (DatabaseBusy, "end the session that holds the table, or ask again once it has"),
    "57014": (DatabaseUnavailable, "ask for less, or ask again"),
    "0A000": (SchemaConflict, "drop the view that uses the column, run again, and make the view anew"),
    "22": (SchemaConflict, "map the column as another type, or change the value"),
    "54": (SchemaConflict, "map fewer columns, or a shorter key: it is more than PostgreSQL can hold"),
}


#: What libpq says beside it; the address is in each of our messages anyway.
_NOISE = re.compile(
    r'connection to server (at|on socket) "[^"]*"( \([^)]*\))?(, port [0-9]+)? failed: '
    r"|connection (failed|is bad): |FATAL: |\s*Is the server running [^?]*\?"
)


@contextmanager
def translated(database: Database) -> Iterator[None]:
    """Turn what psycopg raises into errors that say what to do."""
    try:
        yield
    except psycopg.Error as error:
        # Its own chain is left out: it can quote the connection string.
        raise translate(database, error) from None


def translate(database: Database, error: psycopg.Error | EtlError) -> EtlError:
    if isinstance(error, EtlError):
        return error
    if error.sqlstate is None:
        return _refused(database, error)
    said = error.diag.message_primary or str(error).partition("\n")[0]
    kind, remedy = _STATES.get(error.sqlstate) or _STATES.get(error.sqlstate[:2]) or (DatabaseUnavailable, "")
    field = "transform.columns" if kind is SchemaConflict else "load.postgres"
    return kind(f"PostgreSQL at {database.where}: {said}{'; ' if remedy else ''}{remedy}", field=field)


def _refused(database: Database, error: psycopg.Error) -> EtlError:
    said = " ".join(_NOISE.sub("", database.without_secrets(str(error))).split())
    for words, kind, remedy in _REFUSALS:
        if words in said and (words not in ("role", "database") or "does not exist" in said):
            return kind(f"PostgreSQL at {database.where}: {said}; {remedy}", field=_DSN)
    return DatabaseUnavailable(
        f"PostgreSQL at {database.where} does not answer: {said or 'no word'}; check that it runs, and the address",
        field=_DSN,
    )


def is_passing(error: psycopg.Error | EtlError) -> bool:
    """Whether the same may go well in a moment: the connection was lost, or somebody was in the way."""
    if isinstance(error, EtlError):
        return type(error) in (DatabaseUnavailable, DatabaseBusy)
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith("08") or isinstance(
        error,
        errors.AdminShutdown
        | errors.CrashShutdown
        | errors.CannotConnectNow
        | errors.TooManyConnections
        | errors.IdleInTransactionSessionTimeout
        | errors.DeadlockDetected
        | errors.SerializationFailure
        | errors.LockNotAvailable,
    )
