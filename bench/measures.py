"""What is measured, one function each."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import clients, processes, workshop
from bench.results import Result
from bench.source import FIRST_ID, WORDS
from bench.workshop import Workshop, bare, bare_postgres, differ, etl_run, serve, serve_plainly, source
from etl_service.load.query import token
from sources.postgres import Server

MB = "{:,.0f} MB".format
MS = "{:,.1f} ms".format
PER_SECOND = "{:,.0f}/s".format

READ = "/posts?limit=10"


def throughput(shop: Workshop, rows: int, repeat: int) -> Result:
    """Rows a second from HTTP to SQLite, the start of the programs included."""
    with source(rows) as url:
        document = shop.document(url)
        same_rows(shop, url)
        ours, theirs = processes.medians(
            repeat,
            lambda: rows / etl_run(document, shop.database()).seconds,
            lambda: rows / bare(url, shop.database()).seconds,
        )
    return Result(
        f"load {rows:,} rows, against a bare script", PER_SECOND(ours), PER_SECOND(theirs), ours / theirs, at_least=0.7
    )


def same_rows(shop: Workshop, url: str) -> None:
    """Prove that what is compared does the same work."""
    ours, theirs = shop.database(), shop.database()
    etl_run(shop.document(url), ours)
    bare(url, theirs)
    if differ(ours, theirs):
        raise SystemExit("the engine and the bare script have loaded different rows")


def postgres(shop: Workshop, repeat: int) -> list[Result]:
    with workshop.postgres() as server:
        return [result for rows in (100_000, 1_000_000) for result in postgres_throughput(shop, rows, repeat, server)]


def postgres_throughput(shop: Workshop, rows: int, repeat: int, server: Server) -> list[Result]:
    """Rows a second from HTTP to PostgreSQL: of a first load, and of the same rows again."""
    with source(rows) as url:
        same_rows_in_postgres(shop, url, server)
        first = processes.medians(
            repeat,
            lambda: rows / into_postgres(shop, url, server.fresh_schema()).seconds,
            lambda: rows / bare_postgres(url, server.fresh_schema()).seconds,
        )
        ours, theirs = server.fresh_schema(), server.fresh_schema()
        into_postgres(shop, url, ours)
        bare_postgres(url, theirs)
        again = processes.medians(
            repeat,
            lambda: rows / into_postgres(shop, url, ours).seconds,
            lambda: rows / bare_postgres(url, theirs).seconds,
        )
    return [
        Result(f"{what} {rows:,} rows, into PostgreSQL", PER_SECOND(a), PER_SECOND(b), a / b, at_least=0.5)
        for what, (a, b) in (("load", first), ("reload", again))
    ]


def into_postgres(shop: Workshop, url: str, schema: str) -> processes.Finished:
    return etl_run(shop.document(url, schema=schema), shop.database())


def same_rows_in_postgres(shop: Workshop, url: str, server: Server) -> None:
    ours, theirs = server.fresh_schema(), server.fresh_schema()
    into_postgres(shop, url, ours)
    bare_postgres(url, theirs)
    columns = "id, user_id, title, body"
    for a, b in ((ours, theirs), (theirs, ours)):
        if server.execute(f"SELECT {columns} FROM {a}.posts EXCEPT SELECT {columns} FROM {b}.posts LIMIT 1"):
            raise SystemExit("the engine and the bare script have loaded different rows")


def partitions(shop: Workshop, repeat: int) -> list[Result]:
    """Rows a second from a source that takes its time, by workers who have as much to read each, however many."""
    pages, page, latency = 240, 100, 0.5  # two minutes, in which the start of so many processes is little
    results = []
    with workshop.postgres() as server:
        alone = 0.0
        for workers in (1, 2, 4, 8, 16):
            rows = workers * pages * page
            with source(rows, latency=latency) as url:
                document = shop.document(url, page=page, schema=server.fresh_schema(), workers=workers)
                speed = rows / etl_run(document, shop.database()).seconds
            alone = alone or speed
            linear = workers * alone
            what = f"{workers} workers, a source of {latency:g} s a page"
            results.append(Result(what, PER_SECOND(speed), PER_SECOND(linear), speed / linear, at_least=0.9))
    return results


def ten_million(shop: Workshop, repeat: int) -> list[Result]:
    """The most that any process of a run with 16 partitions holds; its rows a second stand beside it."""
    rows = 10_000_000
    with workshop.postgres() as server, source(rows) as url:
        document = shop.document(url, page=1000, schema=server.fresh_schema(), workers=16)
        ours = etl_run(document, shop.database())
    what = f"peak memory of each process, {rows:,} rows in 16 partitions"
    return [Result(what, MB(ours.megabytes), PER_SECOND(rows / ours.seconds), ours.megabytes, below=150)]


def memory(shop: Workshop, rows: int, page: int | None) -> Result:
    """The most that a run ever holds."""
    with source(rows) as url:
        ours = etl_run(shop.document(url, page=page), shop.database()).megabytes
        theirs = bare(url, shop.database()).megabytes
    shape = f"in pages of {page:,}" if page else "as one array"
    return Result(f"peak memory, {rows:,} rows {shape}", MB(ours), MB(theirs), ours, below=150)


def start_up(shop: Workshop, repeat: int) -> Result:
    """A whole run of a hundred posts, against the mere import of what such a run needs."""
    with source(100) as url:
        document = shop.document(url)
        ours, theirs = processes.medians(
            repeat,
            lambda: 1000 * etl_run(document, shop.database()).seconds,
            lambda: 1000 * processes.run(["-c", "import httpx, msgspec, sqlite3"]).seconds,
        )
    return Result("run 100 posts, against three imports", MS(ours), MS(theirs), ours / theirs, below=3)


def reads(shop: Workshop, repeat: int) -> list[Result]:
    """Answers a second, against FastAPI with the same query."""
    database = shop.database()
    with source(1000) as url:
        document = shop.document(url)
        etl_run(document, database)
    with serve(document, database) as served, serve_plainly(database) as plain:
        ours, simple, threaded = processes.medians(
            repeat,
            lambda: clients.requests_per_second(served + READ),
            lambda: clients.requests_per_second(plain + READ),
            lambda: clients.requests_per_second(plain + "/threaded" + READ),
        )
    return [
        Result(
            f"GET {READ}, against {kind} in FastAPI", PER_SECOND(ours), PER_SECOND(theirs), ours / theirs, at_least=1
        )
        for kind, theirs in (("async def", simple), ("def", threaded))
    ]


def reads_during_a_run(shop: Workshop, rows: int, repeat: int) -> Result:
    """The slowest of a hundred reads while a run loads, against the same while nothing happens."""
    with source(rows // 10) as few, source(rows) as many:
        rounds = [idle_and_busy(shop, shop.document(few), shop.document(many)) for _ in range(repeat)]
    theirs, ours = map(statistics.median, zip(*rounds, strict=True))
    return Result(f"p99 of reads during a run of {rows:,} rows", MS(ours), MS(theirs), ours / theirs, below=3)


def idle_and_busy(shop: Workshop, few: Path, many: Path) -> tuple[float, float]:
    database = shop.database()
    etl_run(few, database)
    with serve(many, database) as served:
        end = time.monotonic() + 5
        idle = clients.latencies(served + READ, going_on=lambda: time.monotonic() < end)
        with ThreadPoolExecutor(1) as threads:
            run = threads.submit(clients.post, f"{served}/etl/run?wait=true")
            busy = clients.latencies(served + READ, going_on=lambda: not run.done())
    if b'"succeeded"' not in run.result():
        raise SystemExit(f"the run did not succeed: {run.result()!r}")
    return percentile(99, idle), percentile(99, busy)


def browsing(shop: Workshop, rows: int) -> list[Result]:
    """The slowest of twenty answers that the page's Data view waits for."""
    database = shop.database()
    with source(rows) as url:
        document = shop.document(url)
        etl_run(document, database)
    place = token(None, "asc", [FIRST_ID + rows // 2])
    asked = {
        "pages": ["", f"after={place}", f"order=desc&after={token(None, 'desc', [FIRST_ID + rows // 2])}"],
        "sorts": [
            f"sort={name}&order={order}" for name in ("user_id", "title", "loaded_at") for order in ("asc", "desc")
        ],
        "filters": ["user_id=7", f"title={WORDS[0]}"],
        "searches for what is often there": [f"q={word}" for word in WORDS],
        "searches for what is there once or not": [f"q={FIRST_ID + place}" for place in range(0, 2 * rows, rows // 4)],
    }
    with serve(document, database) as served:
        taken = {
            what: [second for query in queries for second in clients.times(f"{served}/posts?limit=50&{query}", 20)]
            for what, queries in asked.items()
        }
    return [
        Result(f"p95 of {what}, {rows:,} rows", MS(ours := percentile(95, seconds)), "200.0 ms", ours, below=200)
        for what, seconds in taken.items()
    ]


def percentile(percent: int, seconds: list[float]) -> float:
    """In milliseconds."""
    return 1000 * statistics.quantiles(seconds, n=100)[percent - 1]
