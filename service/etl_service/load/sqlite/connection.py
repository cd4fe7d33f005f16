"""Connections to the database file, and what its errors mean to a user."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl_service.errors import EtlError
from etl_service.load.errors import (
    DatabaseCorrupt,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DatabaseUnsuitable,
    MergeInterrupted,
)
from etl_service.load.sqlite.dialect import teach

#: How long a writer waits for another pipeline's merge into the same file, in seconds; SQLite waits one at a time.
WRITER_PATIENCE = 600
READER_PATIENCE = 5.0

_NETWORK = frozenset("nfs nfs4 cifs smb3 smbfs ncpfs afs ceph glusterfs lustre fuse.sshfs fuse.glusterfs".split())


def connect(path: Path) -> sqlite3.Connection:
    """Open for writing. A commit is on the disk when it returns (``synchronous=FULL``)."""
    with translated(path):
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")  # a restored backup is not in it
        connection.execute("PRAGMA journal_size_limit = 67108864")  # a first load does not keep its log for ever
        connection.execute("PRAGMA legacy_alter_table = ON")  # a view of a table does not keep it from being rebuilt
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -16384")
        teach(connection)
        return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open for reading alone; works on a volume that cannot be written, too."""
    with translated(path):
        if not path.exists():
            raise DatabaseUnavailable(f"there is no database {path}; run the pipeline once to make it")
        connection = _open(path, "mode=ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        except sqlite3.OperationalError as error:
            connection.close()
            # WAL wants a shared-memory file beside the database. Where none can be made nobody can
            # be writing, and without a log to read the file is all there is.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN or _size(path, "-wal"):
                raise
            connection = _open(path, "immutable=1")
        teach(connection)
        return connection


def _open(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=READER_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )


def _size(path: Path, suffix: str) -> int:
    beside = path.with_name(path.name + suffix)
    return beside.stat().st_size if beside.exists() else 0


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into errors that say what to do."""
    try:
        yield
    except EtlError:
        raise
    except sqlite3.Error as error:
        raise _translate(path, error) from error
    except OSError as error:
        raise _translate_os(path, error) from error


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """What is done inside is done whole, or not at all."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise


def _translate(path: Path, error: sqlite3.Error) -> EtlError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary == sqlite3.SQLITE_INTERRUPT:
        return MergeInterrupted("the merge was stopped before its end; nothing was changed")
    if primary == sqlite3.SQLITE_FULL:
        return DatabaseFull(f"the disk that holds {path} is full; make room and run again. Nothing was changed")
    if primary == sqlite3.SQLITE_READONLY:
        return DatabaseReadOnly(f"{path} cannot be written; make the file and its folder writable for this user")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseCorrupt(f"{path} is damaged or no SQLite database ({error}); restore it from a backup")
    if primary == sqlite3.SQLITE_CANTOPEN:
        return DatabaseUnavailable(f"{path} cannot be opened; check that its folder exists and may be written")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseUnavailable(f"{path} stayed locked by another program; close it and run again")
    if primary == sqlite3.SQLITE_IOERR:
        # Memory-mapping the shared index and growing a journal report a full disk this way.
        return DatabaseUnavailable(f"the disk failed {path} ({error}); check its free space and its health")
    return DatabaseUnavailable(f"{path}: {error}")


def _translate_os(path: Path, error: OSError) -> EtlError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DatabaseFull(f"the disk that holds {path} is full; make room and run again. Nothing was changed")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return DatabaseReadOnly(f"the folder of {path} cannot be written; make it writable for this user")
    return DatabaseUnavailable(f"{path}: {os.strerror(error.errno) if error.errno else error}")


def refuse_network_file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """SQLite's write-ahead log needs the memory of one machine: on NFS or SMB it corrupts in silence.

    Raises:
        DatabaseUnsuitable: the file is on one. Where the system does not tell (no ``mounts``), nothing is refused.
    """
    if not mounts.exists():
        return
    folder = path.resolve().parent
    best, kind = Path("/"), ""
    for line in mounts.read_text(errors="replace").splitlines():
        fields, _, rest = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split()[4]))
        if folder.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, rest.split()[0]
    if kind in _NETWORK:
        raise DatabaseUnsuitable(
            f"{path} is on a network file system ({kind} at {best}), where SQLite loses data; "
            "use a local disk or a block volume, or load.postgres"
        )
