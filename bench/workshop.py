"""A folder of its own for what is measured: databases, documents, and the programs that use them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

from bench import processes
from sources.postgres import Server, why_none
from sources.postgres import serving as serving_postgres

DOCUMENT = Template((Path(__file__).parent / "posts.yaml").read_text())


@dataclass(frozen=True)
class Workshop:
    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def database(self) -> Path:
        """A database that is not there yet."""
        return self.folder / f"{next(self.numbers)}.db"

    def document(
        self, source: str, *, page: int | None = None, schema: str | None = None, workers: int | None = None
    ) -> Path:
        """The pipeline document that reads the source, whole or in pages of so many; into PostgreSQL's schema.

        Args:
            workers: how many read it at a time, each of whom asks for one page after the other.
        """
        url = f"{source}/posts"
        if workers:
            way = f"{{param: _page, size: {page}, sizeParam: _limit, totalHeader: X-Total-Count}}"
            url += f"\n    pagination: {{page: {way}}}\n    limits: {{concurrency: 1}}"
            url += f"\n    partitions: {{count: {workers}, parallelism: {workers}}}" if workers > 1 else ""
        elif page:
            url += f"?_page=1&_limit={page}\n    pagination: {{link: {{}}}}"
        document = self.folder / f"{next(self.numbers)}.yaml"
        there = f"    postgres: {{dsn: {{env: POSTGRES_DSN}}, schema: {schema}}}\n" if schema else ""
        document.write_text(DOCUMENT.substitute(url=url) + there)
        return document


@contextmanager
def workshop() -> Iterator[Workshop]:
    with TemporaryDirectory(prefix="bench-") as folder:
        yield Workshop(Path(folder))


def source(rows: int, *, latency: float = 0) -> AbstractContextManager[str]:
    """Posts over HTTP, each page after so many seconds."""
    port = processes.free_port()
    given = ["--rows", str(rows), "--port", str(port), "--latency", str(latency)]
    return processes.serving(["-m", "bench.source", *given], port)


def etl_run(document: Path, database: Path) -> processes.Finished:
    return start_etl_run(document, database).finish()


def start_etl_run(document: Path, database: Path) -> processes.Program:
    return processes.start(["-m", "etl_service", "run", str(document)], database)


def bare(source: str, database: Path) -> processes.Finished:
    return processes.run(["-m", "bench.bare", f"{source}/posts", str(database)])


def bare_postgres(source: str, schema: str) -> processes.Finished:
    return processes.run(["-m", "bench.bare_postgres", f"{source}/posts", schema])


@contextmanager
def postgres() -> Iterator[Server]:
    """A server of its own; programs find it by POSTGRES_DSN."""
    if reason := why_none():
        raise SystemExit(reason)
    with serving_postgres("fsync = on\n") as server:
        os.environ["POSTGRES_DSN"] = server.dsn()
        try:
            yield server
        finally:
            del os.environ["POSTGRES_DSN"]


def serve(document: Path, database: Path) -> AbstractContextManager[str]:
    port = processes.free_port()
    return processes.serving(["-m", "etl_service", "serve", str(document), "--port", str(port)], port, database)


def serve_plainly(database: Path) -> AbstractContextManager[str]:
    port = processes.free_port()
    quiet = ["--no-access-log", "--log-level", "warning"]
    return processes.serving(["-m", "uvicorn", "bench.plain_api:app", "--port", str(port), *quiet], port, database)


def differ(one: Path, other: Path) -> bool:
    """Whether two databases hold different posts, but for what every load adds of its own."""
    columns = "id, user_id, title, body"
    with closing(sqlite3.connect(one)) as connection:
        connection.execute("ATTACH ? AS other", (str(other),))
        return any(
            connection.execute(f"SELECT {columns} FROM {a}.posts EXCEPT SELECT {columns} FROM {b}.posts").fetchone()
            for a, b in (("main", "other"), ("other", "main"))
        )
