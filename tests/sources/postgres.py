"""A PostgreSQL server of the tests' own: Debian's, on a free port of this machine, gone with its block."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from sources.jsonplaceholder import free_port

PASSWORD = "c4nary:pa/ss@word"  #: in no message and in no log
#: PostgreSQL refuses to run as root: where the tests do, it runs as the user that its package made.
_USER = "postgres" if os.geteuid() == 0 else None

_SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
superuser_reserved_connections = 3
fsync = off
ssl = {ssl}
timezone = 'Asia/Tokyo'
"""


@dataclass
class Server:
    """Its superuser is ``admin``; what it serves goes with its process and its folder."""

    folder: Path
    port: int
    numbers: Iterator[int] = field(default_factory=count)

    def dsn(self, database: str = "postgres", user: str = "admin", password: str = PASSWORD, **more: str) -> str:
        given = {"host": "127.0.0.1", "port": str(self.port), "dbname": database, "user": user, "password": password}
        return psycopg.conninfo.make_conninfo(**{**given, "sslmode": "disable", **more})

    def execute(self, statement: str, values: Sequence[Any] = (), *, database: str = "postgres") -> list[Any]:
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            found = connection.execute(statement.encode(), values or None)
            return found.fetchall() if found.description else []

    @contextmanager
    def holding(self, schema: str, table: str) -> Iterator[None]:
        """Let nobody look at a table."""
        with psycopg.connect(self.dsn()) as connection, connection.transaction():
            connection.execute(f"LOCK TABLE {schema}.{table}".encode())
            yield

    def fresh_schema(self) -> str:
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return name

    def start(self) -> None:
        _do("pg_ctl", "start", "--wait", "--silent", f"--pgdata={self.folder}", f"--log={self.folder}/log")

    def stop(self, mode: str = "fast") -> None:
        """As ``pg_ctl`` has it: ``immediate`` is a crash, after which unlogged tables are empty."""
        _do("pg_ctl", "stop", "--wait", "--silent", f"--pgdata={self.folder}", f"--mode={mode}")

    @contextmanager
    def standby(self) -> Iterator[Server]:
        """Another server that follows this one, read-only until it is promoted."""
        folder = Path(tempfile.mkdtemp(prefix="etl-postgres-"))
        if _USER:
            shutil.chown(folder, _USER)
        other = Server(folder / "data", free_port())
        try:
            _do("pg_basebackup", f"--dbname={self.dsn()}", f"--pgdata={other.folder}", "--write-recovery-conf",
                "--checkpoint=fast", "--no-sync")  # fmt: skip
            with (other.folder / "postgresql.conf").open("a") as file:
                file.write(f"port = {other.port}\n")
            other.start()
            try:
                yield other
            finally:
                other.stop("immediate")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def promote(self) -> None:
        _do("pg_ctl", "promote", "--wait", "--silent", f"--pgdata={self.folder}")

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()


def why_none() -> str | None:
    """Why no server can be run here; None where one can."""
    if _binaries() is None:
        return "PostgreSQL's server is not installed"
    if _USER and _USER not in {user.pw_name for user in pwd.getpwall()}:
        return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return None


@contextmanager
def serving(settings: str = "") -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="etl-postgres-"))
    server = Server(folder, free_port())
    try:
        (folder / "password").write_text(PASSWORD)
        if _USER:
            shutil.chown(folder, _USER)
            shutil.chown(folder / "password", _USER)
        options = ["--auth=scram-sha-256", "--username=admin", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        _do("initdb", f"--pgdata={folder / 'data'}", f"--pwfile={folder / 'password'}", *options)
        server.folder = folder / "data"
        with (server.folder / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS.format(ssl="on" if _certify(server.folder) else "off"))
            file.write(f"port = {server.port}\n{settings}")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _certify(folder: Path) -> bool:
    """A certificate that nobody has reason to trust, where openssl is there to make one."""
    if shutil.which("openssl") is None:
        return False
    made = ["-keyout", "server.key", "-out", "server.crt", "-days", "2", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", *made]
    return subprocess.run(command, cwd=folder, user=_USER, capture_output=True, check=False).returncode == 0


def _do(program: str, *arguments: str) -> None:
    binaries = _binaries()
    assert binaries is not None
    command = [str(binaries / program), *arguments]
    done = subprocess.run(
        command, user=_USER, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"LC_ALL": "C"}, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{program}: {done.stdout}"


def _binaries() -> Path | None:
    """Debian keeps them off the path, by version."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").exists()), None)
